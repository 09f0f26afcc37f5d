CREATE TABLE authorities_old (
  id TEXT NOT NULL PRIMARY KEY,
  certificate BYTEA NOT NULL,
  crl_number BIGINT NOT NULL,
  created_at BIGINT NOT NULL
);
INSERT INTO authorities_old
  SELECT id, certificate, crl_number, created_at FROM authorities WHERE id = 'host';
DROP TABLE authorities;
ALTER TABLE authorities_old RENAME TO authorities;
