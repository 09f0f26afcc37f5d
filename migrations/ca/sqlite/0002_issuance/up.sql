CREATE TABLE authorities (
  id TEXT NOT NULL PRIMARY KEY,
  certificate BLOB NOT NULL,
  crl_number BIGINT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE TABLE requests (
  id TEXT NOT NULL PRIMARY KEY,
  version BIGINT NOT NULL,
  state TEXT NOT NULL,
  profile TEXT NOT NULL,
  profile_version TEXT NOT NULL,
  authority TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  modified_at BIGINT NOT NULL,
  csr BLOB NOT NULL,
  requestor TEXT,
  requestor_name TEXT,
  assigned_to TEXT,
  serial BLOB,
  violations TEXT NOT NULL,
  history TEXT NOT NULL
);
CREATE INDEX requests_created ON requests (created_at, id);
CREATE INDEX requests_state ON requests (state, created_at, id);
-- Narrow: what every issuance, status question and CRL needs.
CREATE TABLE statuses (
  serial BLOB NOT NULL PRIMARY KEY,
  authority TEXT NOT NULL,
  status SMALLINT NOT NULL,
  changed_at BIGINT NOT NULL,
  reason SMALLINT,
  invalidity_at BIGINT,
  not_after BIGINT NOT NULL
);
CREATE INDEX statuses_not_valid ON statuses (authority, not_after) WHERE status <> 0;
-- Wide: what people look at. Exactly one of tbs (intended) and der (signed) is there.
CREATE TABLE certificates (
  serial BLOB NOT NULL PRIMARY KEY,
  authority TEXT NOT NULL,
  request_id TEXT,
  profile TEXT NOT NULL,
  profile_version TEXT NOT NULL,
  approved_by TEXT NOT NULL,
  subject TEXT NOT NULL,
  subject_lower TEXT NOT NULL,
  issuer TEXT NOT NULL,
  spki_sha256 BLOB NOT NULL,
  not_before BIGINT NOT NULL,
  not_after BIGINT NOT NULL,
  issued_at BIGINT NOT NULL,
  tbs BLOB,
  der BLOB,
  CHECK ((tbs IS NULL) <> (der IS NULL))
);
CREATE INDEX certificates_issued ON certificates (issued_at, serial);
CREATE INDEX certificates_key ON certificates (spki_sha256);
CREATE INDEX certificates_intended ON certificates (issued_at) WHERE der IS NULL;
CREATE TABLE certificate_names (
  name TEXT NOT NULL,
  serial BLOB NOT NULL,
  PRIMARY KEY (name, serial)
);
CREATE TABLE journal (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  position BIGINT GENERATED ALWAYS AS (id) VIRTUAL,
  authority TEXT NOT NULL,
  serial BLOB NOT NULL,
  status SMALLINT NOT NULL,
  at BIGINT NOT NULL,
  reason SMALLINT,
  not_after BIGINT NOT NULL
);
CREATE UNIQUE INDEX journal_position ON journal (position);
CREATE TABLE crls (
  authority TEXT NOT NULL,
  number BIGINT NOT NULL,
  this_update BIGINT NOT NULL,
  next_update BIGINT NOT NULL,
  entries BIGINT NOT NULL,
  der BLOB NOT NULL,
  PRIMARY KEY (authority, number)
);
CREATE TABLE idempotency (
  scope BLOB NOT NULL PRIMARY KEY,
  digest BLOB NOT NULL,
  created_at BIGINT NOT NULL,
  request_id TEXT NOT NULL,
  answer BLOB
);
CREATE INDEX idempotency_created ON idempotency (created_at);
