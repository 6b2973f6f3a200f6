"""A sales report, streamed in pieces that are encoded quickly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import orjson
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from lab.blocking_serializer.data import ROWS

app = FastAPI()
ROWS_A_PIECE = 250


async def report_body() -> AsyncIterator[bytes]:
    yield b'{"rows":['
    for start in range(0, len(ROWS), ROWS_A_PIECE):
        if start:
            yield b","
            await asyncio.sleep(0)  # let others have the loop between two pieces
        yield orjson.dumps(ROWS[start : start + ROWS_A_PIECE])[1:-1]
    yield b"]}"


@app.get("/report")
async def report() -> StreamingResponse:
    return StreamingResponse(report_body(), media_type="application/json")


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}
