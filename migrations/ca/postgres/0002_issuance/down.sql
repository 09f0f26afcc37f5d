DROP TABLE idempotency;
DROP TABLE crls;
DROP TABLE journal;
DROP TABLE certificate_names;
DROP TABLE certificates;
DROP TABLE statuses;
DROP TABLE requests;
DROP TABLE authorities;
