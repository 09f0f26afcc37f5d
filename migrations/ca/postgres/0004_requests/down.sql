DROP INDEX requests_submission;
ALTER TABLE requests DROP COLUMN changes;
ALTER TABLE requests DROP COLUMN submission;
ALTER TABLE requests DROP COLUMN kind;
