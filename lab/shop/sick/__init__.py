"""The sick edition: it works, it is what one often meets, and every mistake is marked."""
