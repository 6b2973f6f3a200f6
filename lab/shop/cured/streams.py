"""The export and the websocket feed: what goes on for longer than one answer."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse
from pydantic import ValidationError
from sqlalchemy import select

from lab.shop.common.models import Order
from lab.shop.common.schemas import FeedRequest
from lab.shop.cured.resources import Resources, Shared

router = APIRouter()

ROWS_A_CHUNK = 500


@router.get("/export/orders", response_class=StreamingResponse)
async def export_orders(shared: Shared) -> StreamingResponse:
    return StreamingResponse(csv_chunks(shared), media_type="text/csv")


async def csv_chunks(shared: Resources) -> AsyncIterator[str]:
    yield "id,user_id,status,created_at\r\n"
    last_id = 0
    while True:
        query = (
            select(Order.id, Order.user_id, Order.status, Order.created_at)
            .where(Order.id > last_id)
            .order_by(Order.id)
            .limit(ROWS_A_CHUNK)
        )
        # A slow reader keeps no connection: it goes back before each chunk is sent.
        async with shared.sessions() as session:
            rows = (await session.execute(query)).all()
        if not rows:
            return
        last_id = rows[-1].id
        lines = io.StringIO()
        csv.writer(lines).writerows((*row[:3], row.created_at.isoformat()) for row in rows)
        yield lines.getvalue()


@router.websocket("/feed")
async def feed(websocket: WebSocket, shared: Shared) -> None:
    await websocket.accept()
    try:
        while True:
            message = await websocket.receive_text()
            await websocket.send_json(await orders_after(shared, message))
    except WebSocketDisconnect:
        pass


async def orders_after(shared: Resources, message: str) -> dict[str, Any]:
    try:
        request = FeedRequest.model_validate_json(message)
    except ValidationError as exc:
        return {"error": exc.errors(include_url=False, include_context=False)[0]["msg"]}
    query = (
        select(Order.id, Order.user_id, Order.status)
        .where(Order.id > request.after)
        .order_by(Order.id)
        .limit(request.limit)
    )
    async with shared.sessions() as session:
        rows = (await session.execute(query)).mappings().all()
    return {"orders": [dict(row) for row in rows]}
