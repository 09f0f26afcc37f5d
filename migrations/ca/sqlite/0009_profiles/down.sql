ALTER TABLE requests DROP COLUMN context;
DROP TABLE profile_versions;
DROP TABLE profiles;
