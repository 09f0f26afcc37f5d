ALTER TABLE requests ADD COLUMN kind TEXT NOT NULL DEFAULT 'pkcs10';
ALTER TABLE requests ADD COLUMN submission TEXT;
ALTER TABLE requests ADD COLUMN changes TEXT;
CREATE INDEX requests_submission ON requests (submission) WHERE submission IS NOT NULL;
