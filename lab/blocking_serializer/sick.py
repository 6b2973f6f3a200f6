"""A sales report, encoded in one go on the event loop."""

from __future__ import annotations

import json

from fastapi import FastAPI, Response

from lab.blocking_serializer.data import ROWS

app = FastAPI()


@app.get("/report")
async def report() -> Response:
    body = json.dumps({"rows": ROWS})  # culprit: blocking-serializer
    return Response(body, media_type="application/json")


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}
