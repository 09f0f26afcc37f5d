DROP TABLE crl_urls;
DROP TABLE crl_parts;
DROP TABLE crls;
CREATE TABLE crls (
  authority TEXT NOT NULL,
  number BIGINT NOT NULL,
  this_update BIGINT NOT NULL,
  next_update BIGINT NOT NULL,
  entries BIGINT NOT NULL,
  der BLOB NOT NULL,
  PRIMARY KEY (authority, number)
);
DROP INDEX statuses_changed;
DROP INDEX statuses_listed;
CREATE INDEX statuses_not_valid ON statuses (authority, not_after) WHERE status <> 0;
UPDATE statuses SET reason = NULL WHERE status <> 2;
ALTER TABLE statuses DROP COLUMN shard;
