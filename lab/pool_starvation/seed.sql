-- Data of another server, as a foreign table would bring it: a few milliseconds for each look-up,
-- nearly none of them spent on this server's cores.
CREATE TABLE local_stock (store integer, product integer, units integer);
INSERT INTO local_stock SELECT n % 4, n, n % 50 FROM generate_series(1, 400) AS n;
CREATE INDEX ON local_stock (product);
CREATE FUNCTION remote_units(wanted integer) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT sum(units) FROM local_stock, pg_sleep(0.003) WHERE product = wanted
$$;
CREATE FUNCTION remote_price(wanted integer) RETURNS integer LANGUAGE sql VOLATILE AS $$
    SELECT wanted * 99 FROM pg_sleep(0.003)
$$;
CREATE FUNCTION remote_name(wanted integer) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT 'Product ' || wanted FROM pg_sleep(0.003)
$$;
ANALYZE;
