CREATE TABLE jobs (
  id TEXT NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  status TEXT NOT NULL,
  done BIGINT NOT NULL,
  total BIGINT NOT NULL,
  errors BIGINT NOT NULL,
  result TEXT,
  task TEXT,
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  last_run_at BIGINT,
  next_run_at BIGINT,
  leased_by TEXT,
  lease_ends_at BIGINT
);
CREATE INDEX jobs_created ON jobs (created_at, id);
CREATE INDEX jobs_due ON jobs (next_run_at) WHERE next_run_at IS NOT NULL;
