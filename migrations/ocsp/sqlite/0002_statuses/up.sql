CREATE TABLE statuses (
  authority TEXT NOT NULL,
  serial BLOB NOT NULL,
  status SMALLINT NOT NULL,
  at BIGINT NOT NULL,
  reason SMALLINT,
  not_after BIGINT NOT NULL,
  PRIMARY KEY (authority, serial)
);
CREATE TABLE feeds (
  source TEXT NOT NULL PRIMARY KEY,
  cursor TEXT NOT NULL
);
