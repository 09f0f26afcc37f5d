DROP TABLE audit;
DROP TABLE group_members;
DROP TABLE groups;
DROP TABLE user_certificates;
DROP TABLE users;
