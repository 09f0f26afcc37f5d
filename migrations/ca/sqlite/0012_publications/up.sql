-- Up to which number each thing has been published at a place.
CREATE TABLE publications (
  place TEXT NOT NULL,
  name TEXT NOT NULL,
  number BIGINT NOT NULL,
  PRIMARY KEY (place, name)
);
