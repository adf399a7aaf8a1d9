-- Roles of the corpus; they belong to the server, so a database cannot bring them along.
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'Corpus Owner') THEN CREATE ROLE "Corpus Owner"; END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'corpus_reader') THEN CREATE ROLE corpus_reader; END IF;
END $$;
