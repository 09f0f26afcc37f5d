ALTER TABLE requests ADD COLUMN renews BLOB;
CREATE INDEX requests_renews ON requests (renews) WHERE renews IS NOT NULL;
