CREATE INDEX purchases_user_id ON purchases (user_id);
ANALYZE purchases;
