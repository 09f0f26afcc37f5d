CREATE TABLE profiles (
  id TEXT NOT NULL PRIMARY KEY,
  version TEXT NOT NULL,
  standing TEXT NOT NULL CHECK (standing IN ('disabled', 'enabled', 'stopped')),
  stopped_by TEXT,
  stopped_note TEXT,
  text TEXT NOT NULL,
  changed_at BIGINT NOT NULL
);
CREATE TABLE profile_versions (
  profile TEXT NOT NULL,
  version TEXT NOT NULL,
  text TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  PRIMARY KEY (profile, version)
);
ALTER TABLE requests ADD COLUMN context TEXT NOT NULL DEFAULT '{}';
INSERT INTO groups (name, description) SELECT 'Registration Manager Agents', 'Vouch for those whom they register.' WHERE EXISTS (SELECT 1 FROM groups) AND NOT EXISTS (SELECT 1 FROM groups WHERE name = 'Registration Manager Agents');
