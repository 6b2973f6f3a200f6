"""Logins whose password hash is computed by a thread; hashlib frees the GIL."""

from __future__ import annotations

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fastapi import FastAPI

app = FastAPI()
SALT = b"lab"
ROUNDS = 120_000
# One at a time: hashing must leave a core to the loop.
hashers = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hash")


def digest(password: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), SALT, ROUNDS).hex()


@app.get("/login")
async def login(password: str) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    return {"digest": await loop.run_in_executor(hashers, digest, password)}


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}
