CREATE TABLE users (id integer PRIMARY KEY, name text NOT NULL, email text NOT NULL);
CREATE TABLE products (id integer PRIMARY KEY, name text NOT NULL, price_cents integer NOT NULL);
CREATE TABLE purchases (
    id integer PRIMARY KEY,
    user_id integer NOT NULL,
    product_id integer NOT NULL REFERENCES products (id),
    quantity integer NOT NULL
);
INSERT INTO users SELECT n, 'User ' || n, 'user' || n || '@example.org' FROM generate_series(1, 25000) AS n;
INSERT INTO products SELECT n, 'Product ' || n, n * 7 % 5000 + 100 FROM generate_series(1, 2000) AS n;
INSERT INTO purchases
SELECT n, n % 25000 + 1, (n % 2000 * 7919 + n / 25000 * 37) % 2000 + 1, n % 5 + 1 FROM generate_series(1, 300000) AS n;
ANALYZE;
