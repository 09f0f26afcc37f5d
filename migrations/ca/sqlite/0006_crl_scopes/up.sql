-- The part of the CRL that a certificate belongs to, fixed when it is intended.
ALTER TABLE statuses ADD COLUMN shard SMALLINT;
-- From now on a reason says that the status has changed at all: 6 for a hold, 8 for a release.
UPDATE statuses SET reason = 6 WHERE status = 1;
DROP INDEX statuses_not_valid;
CREATE INDEX statuses_listed ON statuses (authority, serial) WHERE status <> 0;
CREATE INDEX statuses_changed ON statuses (authority, changed_at) WHERE reason IS NOT NULL;
-- CRLs by scope (full, delta or the number of a part), their bytes in pieces.
CREATE TABLE crl_parts (
  authority TEXT NOT NULL,
  scope TEXT NOT NULL,
  number BIGINT NOT NULL,
  part BIGINT NOT NULL,
  der BLOB NOT NULL,
  PRIMARY KEY (authority, scope, number, part)
);
INSERT INTO crl_parts SELECT authority, 'full', number, 0, der FROM crls;
CREATE TABLE crls_before AS SELECT authority, number, this_update, next_update, entries FROM crls;
DROP TABLE crls;
CREATE TABLE crls (
  authority TEXT NOT NULL,
  scope TEXT NOT NULL,
  number BIGINT NOT NULL,
  base BIGINT,
  base_at BIGINT,
  this_update BIGINT NOT NULL,
  next_update BIGINT NOT NULL,
  entries BIGINT NOT NULL,
  PRIMARY KEY (authority, scope, number)
);
INSERT INTO crls SELECT authority, 'full', number, NULL, NULL, this_update, next_update, entries
  FROM crls_before;
DROP TABLE crls_before;
-- Every URL of a distribution point that was ever written into a certificate.
CREATE TABLE crl_urls (
  authority TEXT NOT NULL,
  scope TEXT NOT NULL,
  url TEXT NOT NULL,
  first_used_at BIGINT NOT NULL,
  PRIMARY KEY (authority, scope, url)
);
