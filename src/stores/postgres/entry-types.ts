/** Types of entries in an archive (`desc` in pg_dump's source), by how they hang together. */

export const relations: ReadonlySet<string> = new Set([
  "TABLE",
  "FOREIGN TABLE",
  "VIEW",
  "MATERIALIZED VIEW",
]);

/** Goes away with the table that it belongs to. */
export const ofTables: ReadonlySet<string> = new Set([
  "TABLE DATA",
  "TABLE ATTACH",
  "SEQUENCE OWNED BY",
  "SEQUENCE SET",
  "DEFAULT",
  "CONSTRAINT",
  "FK CONSTRAINT",
  "CHECK CONSTRAINT",
  "INDEX",
  "INDEX ATTACH",
  "TRIGGER",
  "RULE",
  "POLICY",
  "ROW SECURITY",
  "STATISTICS",
]);

/** What hangs on relations and is wanted with them, once all the relations that it hangs on are wanted. */
export const attached: ReadonlySet<string> = new Set([
  ...ofTables,
  "SEQUENCE",
  "MATERIALIZED VIEW DATA",
  "COMMENT",
  "ACL",
  "SECURITY LABEL",
]);
