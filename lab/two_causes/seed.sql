CREATE TABLE authors (id integer PRIMARY KEY, name text NOT NULL);
CREATE TABLE books (
    id integer PRIMARY KEY,
    author_id integer NOT NULL REFERENCES authors (id),
    title text NOT NULL
);
CREATE INDEX books_author_id ON books (author_id);
INSERT INTO authors SELECT n, 'Author ' || n FROM generate_series(1, 200) AS n;
INSERT INTO books SELECT n, n % 200 + 1, 'Book ' || n FROM generate_series(1, 1000) AS n;
ANALYZE;
