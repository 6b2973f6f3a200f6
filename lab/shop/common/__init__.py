"""What both editions share: tables, schemas, seed data, the scoring model, password hashing."""
