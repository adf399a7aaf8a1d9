-- pgvector's types with their edge values, and its indexes with options.
CREATE EXTENSION vector;
CREATE TABLE vectors (id uuid PRIMARY KEY, v vector(3), open vector, h halfvec(3), s sparsevec(1000), b bit(64));
INSERT INTO vectors VALUES
  ('00000000-0000-0000-0000-000000000001', '[1,-0,1e-45]', '[3.4028235e38]', '[65504,-6e-8,0]', '{1:1,1000:-2.5}/1000', repeat('01', 32)::bit(64)),
  ('00000000-0000-0000-0000-000000000002', '[0.1,0.2,0.30000001]', NULL, '[0,0,0]', '{}/1000', repeat('1', 64)::bit(64)),
  ('00000000-0000-0000-0000-000000000003', NULL, '[1,2,3,4,5]', NULL, NULL, NULL);
INSERT INTO vectors SELECT gen_random_uuid(), format('[%s,%s,1]', i, i * 0.7)::vector, NULL, NULL, NULL, NULL FROM generate_series(1, 100) AS i;
CREATE INDEX ON vectors USING hnsw (v vector_cosine_ops) WITH (m = 8, ef_construction = 32);
CREATE INDEX ON vectors USING ivfflat (v vector_l2_ops) WITH (lists = 4);
CREATE INDEX ON vectors USING hnsw (h halfvec_ip_ops);
CREATE INDEX ON vectors USING hnsw (s sparsevec_l1_ops);
CREATE INDEX ON vectors USING hnsw (b bit_hamming_ops);
