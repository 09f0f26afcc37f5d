DROP INDEX requests_renews;
ALTER TABLE requests DROP COLUMN renews;
