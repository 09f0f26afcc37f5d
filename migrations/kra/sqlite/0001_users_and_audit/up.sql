CREATE TABLE users (
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE TABLE user_certificates (
  spki_sha256 BLOB NOT NULL PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users (id),
  certificate BLOB NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE TABLE groups (
  name TEXT NOT NULL PRIMARY KEY,
  description TEXT NOT NULL
);
CREATE TABLE group_members (
  group_name TEXT NOT NULL REFERENCES groups (name),
  user_id TEXT NOT NULL REFERENCES users (id),
  PRIMARY KEY (group_name, user_id)
);
CREATE TABLE audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  position BIGINT GENERATED ALWAYS AS (id) VIRTUAL,
  at BIGINT NOT NULL,
  actor TEXT NOT NULL,
  event TEXT NOT NULL,
  object TEXT NOT NULL,
  leaf BLOB NOT NULL
);
CREATE UNIQUE INDEX audit_position ON audit (position);
