"""Logins whose password hash, slow on purpose, is computed on the event loop."""

from __future__ import annotations

import hashlib
from typing import Any

from fastapi import FastAPI

app = FastAPI()
SALT = b"lab"
ROUNDS = 120_000


def digest(password: str) -> str:
    key = hashlib.pbkdf2_hmac("sha256", password.encode(), SALT, ROUNDS)  # culprit: cpu-on-loop
    return key.hex()


@app.get("/login")
async def login(password: str) -> dict[str, Any]:
    return {"digest": digest(password)}


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}
