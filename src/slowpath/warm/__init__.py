"""A scan that remembers the one before: what it keeps, and what an edit touches of it."""
