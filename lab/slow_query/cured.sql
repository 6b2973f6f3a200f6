CREATE INDEX products_lower_name ON products (lower(name));
ANALYZE;
