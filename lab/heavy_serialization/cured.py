"""Readings by pages; the rows come from our own database, so they are encoded unchecked."""

from __future__ import annotations

from typing import Annotated

import orjson
from fastapi import FastAPI, Query, Response

from lab.heavy_serialization.readings import Reading, latest

app = FastAPI()


@app.get("/readings", response_model=list[Reading])
async def readings(limit: Annotated[int, Query(ge=1, le=500)] = 100) -> Response:
    return Response(orjson.dumps(latest(limit)), media_type="application/json")


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}
