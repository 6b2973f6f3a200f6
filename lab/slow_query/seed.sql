CREATE TABLE products (id integer PRIMARY KEY, name text NOT NULL, price_cents integer NOT NULL);
INSERT INTO products
SELECT n, md5((n % 5000)::text) || ' lamp ' || n, n % 10000 FROM generate_series(1, 150000) AS n;
ANALYZE;
