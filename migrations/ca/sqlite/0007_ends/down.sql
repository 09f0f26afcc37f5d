DROP INDEX statuses_ends;
