CREATE TABLE authorities_new (
  id TEXT NOT NULL PRIMARY KEY,
  subject TEXT NOT NULL,
  living_name TEXT,
  parent TEXT,
  description TEXT,
  profile TEXT NOT NULL,
  status TEXT NOT NULL,
  note TEXT,
  successor TEXT,
  serial BYTEA,
  certificate BYTEA,
  outside_chain TEXT,
  csr BYTEA,
  sealed_key TEXT,
  crl_number BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  modified_at BIGINT NOT NULL
);
INSERT INTO authorities_new
  SELECT
    id,
    COALESCE((SELECT c.subject FROM certificates c WHERE c.der = a.certificate), id),
    COALESCE((SELECT c.subject_lower FROM certificates c WHERE c.der = a.certificate), id),
    NULL, NULL, 'caCACert', 'enabled', NULL, NULL,
    (SELECT c.serial FROM certificates c WHERE c.der = a.certificate),
    certificate, NULL, NULL, NULL, crl_number, created_at, created_at
  FROM authorities a;
DROP TABLE authorities;
ALTER TABLE authorities_new RENAME TO authorities;
-- One name, one living authority: relying parties tell CAs apart by their names.
CREATE UNIQUE INDEX authorities_name ON authorities (living_name);
