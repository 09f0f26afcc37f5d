-- What ends soon is counted, what ended long ago is forgotten.
CREATE INDEX statuses_ends ON statuses (not_after);
