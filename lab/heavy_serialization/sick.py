"""All readings through a response model."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from lab.heavy_serialization.readings import Reading, latest

app = FastAPI()


@app.get("/readings", response_model=list[Reading])  # culprit: heavy-serialization
async def readings() -> Any:
    return latest(limit=2500)


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}
