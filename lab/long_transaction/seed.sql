CREATE TABLE users (id integer PRIMARY KEY, name text NOT NULL);
INSERT INTO users SELECT n, 'User ' || n FROM generate_series(1, 200) AS n;
ANALYZE;
