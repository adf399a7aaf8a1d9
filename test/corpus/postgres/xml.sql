-- XML, which a server may be built without.
CREATE TABLE documents (id integer PRIMARY KEY, x xml);
INSERT INTO documents VALUES (1, '<a b="c">&amp;</a>'), (2, 'no element'), (3, ''), (4, NULL),
  (5, '<?xml version="1.0" encoding="UTF-8"?><ä>€</ä>');
