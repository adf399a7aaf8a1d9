-- Every built-in type with its edge values. For PostgreSQL 15 and later; run as a superuser.

CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy "quoted"', 'with''apostrophe');
CREATE TYPE pair AS (a integer, b text, c mood);
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN short_text AS text DEFAULT 'd' NOT NULL CHECK (length(VALUE) < 1000);
CREATE TYPE float_range AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE SCHEMA "Other Schema";
CREATE TYPE "Other Schema"."My Type" AS ("Field 1" timestamptz, f2 numeric[]);

CREATE TABLE numbers (
  id integer PRIMARY KEY, i2 smallint, i4 integer, i8 bigint, num numeric, num_fixed numeric(30, 10),
  f4 real, f8 double precision, cash money, oid_value oid, x xid, x8 xid8, lsn pg_lsn, c cid, b boolean
);
INSERT INTO numbers VALUES
  (1, -32768, -2147483648, -9223372036854775808, 'NaN', '-99999999999999999999.9999999999', '-0', '-0', '-92233720368547758.08', 0, '0', '0', '0/0', '0', true),
  (2, 32767, 2147483647, 9223372036854775807, repeat('9', 130)::numeric, 'NaN', 'NaN', 'NaN', '92233720368547758.07', 4294967295, '4294967295', '18446744073709551615', 'FFFFFFFF/FFFFFFFF', '7', false),
  (3, 0, 0, 0, ('0.' || repeat('0', 200) || '1')::numeric, 0.0000000001, 'Infinity', 'Infinity', 0, 1, '3', '3', '16/B374D848', '1', NULL),
  (4, NULL, NULL, NULL, 'Infinity', NULL, '-Infinity', '-Infinity', '-0.01', NULL, NULL, NULL, NULL, NULL, NULL),
  (5, 1, 1, 1, '-Infinity', 1, '1e-45', '5e-324', 1.23, 2, '9', '9', '0/1', '0', true),
  (6, 1, 1, 1, 1.0, 1.0, '3.4028235e38', '1.7976931348623157e308', 1, 2, '9', '9', '0/1', '0', true),
  (7, 1, 1, 1, 1.000, 1.0, '0.1', '0.1', 1, 2, '9', '9', '0/1', '0', true),
  (8, 1, 1, 1, 1e100, 1.0, '1.1754944e-38', '2.2250738585072014e-308', 1, 2, '9', '9', '0/1', '0', true),
  (9, 1, 1, 1, -0.0, 1.0, '16777216', '9007199254740993', 1, 2, '9', '9', '0/1', '0', true);

CREATE TABLE times (
  id integer PRIMARY KEY, d date, t time, tz timetz, ts timestamp, tstz timestamptz, i interval, i2 interval(2), t0 timestamp(0)
);
INSERT INTO times VALUES
  (1, 'infinity', '00:00:00', '00:00:00+15:59', 'infinity', 'infinity', '178000000 years', '1.999 s', '2026-01-01 00:00:00.5'),
  (2, '-infinity', '24:00:00', '24:00:00-15:59', '-infinity', '-infinity', '-178000000 years', '0', NULL),
  (3, '4713-01-01 BC', '23:59:59.999999', '12:00:00+05:45', '4713-01-01 00:00:00 BC', '4713-01-02 00:00:00+00 BC', '1 mon -1 days +00:00:00.000001', NULL, NULL),
  (4, '5874897-12-31', '12:34:56.7', '12:00:00.1-00:00:01', '294276-12-31 23:59:59.999999', '294276-12-31 23:59:59.999999+00', '-1 years -2 mons +3 days -04:05:06.789', NULL, NULL),
  (5, '0001-12-31 BC', NULL, NULL, '0044-03-15 12:00:00 BC', '1883-11-18 12:03:58-04:56:02', '-0 s', NULL, NULL),
  (6, '2000-02-29', NULL, NULL, '2026-03-29 02:30:00', '2026-03-29 02:30:00 Europe/Berlin', '24:00:00', NULL, NULL),
  (7, NULL, NULL, NULL, NULL, NULL, '1 day', NULL, NULL);

CREATE TABLE texts (id integer PRIMARY KEY, t text, v varchar(10), c char(5), n name, ch "char", b bytea, j json, jb jsonb, u uuid);
INSERT INTO texts (id, t, v, c, n, ch, b, j, jb, u) VALUES
  (1, '', '', '', '', '', '', '{}', '{}', '00000000-0000-0000-0000-000000000000'),
  (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (3, E'\\N', '\.', E' \t ', 'name', 'x', '\x00', '{"b":1, "a":1.0,  "a":2}', '{"b":1, "a":1.0, "c":1e400, "d":-0}', 'ffffffff-ffff-ffff-ffff-ffffffffffff'),
  (4, E'a\b\f\n\r\t\v\\b', 'tab	tab', 'é', repeat('n', 63), 'y', NULL, 'null', 'null', NULL),
  (5, E'\u0001\u007f\u0085\u00a0\u2028\ufeff\ufffd\uffff', 'ｆｕｌｌ', '😀', NULL, NULL, NULL, '"\u0041\ud83d\ude00"', '"\u0041\ud83d\ude00"', NULL),
  (6, E'\r\n', E'\\', E'\\.', NULL, '\377', NULL, '[1, [], {}]', '[1, [], {}, "", null]', NULL);
-- Every byte, and a character of every block of the basic plane (surrogates are no characters).
INSERT INTO texts (id, b) SELECT 100, string_agg(set_byte('\x00', 0, i), NULL ORDER BY i) FROM generate_series(0, 255) AS i;
INSERT INTO texts (id, t) SELECT 1000 + i / 16, chr(i) || chr(i + 15) FROM generate_series(16, 65519, 16) AS i WHERE i NOT BETWEEN 55281 AND 57343;
INSERT INTO texts (id, t) VALUES (7, repeat('long ', 500000));

CREATE TABLE containers (
  id integer PRIMARY KEY, ia integer[], ta text[], nested integer[][], bounds integer[], moods mood[], p pair, pairs pair[],
  dom positive, st short_text, own "Other Schema"."My Type", r4 int4range, r8 int8range, rn numrange, rd daterange, rts tsrange,
  rtz tstzrange, fr float_range, m4 int4multirange, mtz tstzmultirange, fm float_multirange, bits bit(5), vbits bit varying, mo mood
);
INSERT INTO containers VALUES
  (1, '{}', '{}', '{}', '[-2:0]={1,2,3}', '{sad,NULL}', '(1,"a ""b"" \\ , ()",ok)', '{"(,,)"}', 1, '', '("2026-01-01 00:00:00+00","{NaN,1.0}")', 'empty', '(,)', '[1.0,1.00]', '[2026-01-01,infinity)', '(-infinity,]', '["2026-01-01 00:00:00+02",)', '[-0,NaN]', '{}', '{[,2026-01-01),(2026-02-01,)}', '{[1,2),[3,4]}', B'10101', B'', 'happy "quoted"'),
  (2, '{1,NULL,3}', ARRAY['', NULL, 'NULL', '{', '"', '\', ',', E'\n', ' '], '{{1,2},{3,NULL}}', '[0:1]={NULL,NULL}', NULL, ROW(NULL, NULL, NULL), ARRAY[ROW(1, 'x', 'sad')::pair, NULL], 2147483647, 'd', NULL, '[1,1]', '[-9223372036854775808,9223372036854775807)', '(0,1e50)', 'empty', NULL, NULL, 'empty', '{[1,3),[5,)}', '{}', NULL, B'00000', B'1', 'with''apostrophe'),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'x', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE others (
  id integer PRIMARY KEY, i inet, ci cidr, m macaddr, m8 macaddr8, tv tsvector, tq tsquery, pt point, l line, ls lseg, bx box, pa path,
  po polygon, ci2 circle, jp jsonpath, cls regclass, typ regtype, prc regprocedure, rol regrole, nsp regnamespace, cfg regconfig,
  snap pg_snapshot, tidv tid, iv int2vector, ov oidvector, acl aclitem[]
);
INSERT INTO others VALUES
  (1, '::1', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', '''a'':1A,3 ''b c'':2 ''d''''e''', '''a'' & !''b'' <-> ''c'':*A', '(-0,NaN)', '{1,2,3}', '[(0,0),(1,1)]', '(1,1),(0,0)', '[(0,0),(1,1)]', '((0,0),(1,1),(2,0))', '<(0,0),1e-300>', '$.a[*] ? (@.b > 1)', 'numbers', 'pair', 'lower(text)', 'postgres', '"Other Schema"', 'english', '10:20:10,14,15', '(4294967295,65535)', '1 2 3', '1 2 3', NULL),
  (2, '192.168.0.1/24', '::/0', NULL, NULL, '', '', '(Infinity,-Infinity)', '{0,1,0}', '[(-0,1e308),(5e-324,0)]', NULL, '((0,0))', NULL, NULL, 'strict $', NULL, 'integer[]', NULL, NULL, 'pg_catalog', NULL, NULL, NULL, '', '', '{postgres=r/postgres}'),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE wide (id integer PRIMARY KEY);
DO $$ BEGIN FOR i IN 1..299 LOOP EXECUTE format('ALTER TABLE wide ADD COLUMN c%s text DEFAULT %L', i, 'v' || i); END LOOP; END $$;
INSERT INTO wide (id) SELECT generate_series(1, 5);
