DROP TABLE feeds;
DROP TABLE statuses;
