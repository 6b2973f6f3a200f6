"""Password hashing, slow on purpose, and the tokens that a login gives out."""

from __future__ import annotations

import hashlib
import hmac

# About 50 ms and 16 MiB for one hash: what makes guessing expensive.
SCRYPT = {"n": 2**14, "r": 8, "p": 1}
TOKEN_KEY = b"the lab's tokens open nothing"


def hash_password(password: str, salt: bytes) -> str:
    """`salt$hash`, both in hex, as the database keeps it."""
    digest = hashlib.scrypt(password.encode(), salt=salt, **SCRYPT)
    return f"{salt.hex()}${digest.hex()}"


def verify_password(password: str, stored: str) -> bool:
    """Whether `stored` is the hash of `password`; takes as long either way."""
    salt = bytes.fromhex(stored.partition("$")[0])
    return hmac.compare_digest(hash_password(password, salt), stored)


def token_for(user_id: int) -> str:
    """A signed token that names the user."""
    signature = hmac.new(TOKEN_KEY, str(user_id).encode(), hashlib.sha256).hexdigest()
    return f"{user_id}.{signature}"
