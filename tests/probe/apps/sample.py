"""A small FastAPI app with something of everything, for all versions that the probe knows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, WebSocket
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from pydantic import BaseModel
from starlette.background import BackgroundTask


class Item(BaseModel):
    name: str
    price: float
    tags: list[str] = []


class Stamp:
    """A pure ASGI middleware."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def stamped(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-stamp", b"pure")]
            await send(message)

        await self.app(scope, receive, stamped if scope["type"] == "http" else send)


app = FastAPI()
router = APIRouter(prefix="/items")
inner = FastAPI()


@app.middleware("http")
async def add_header(request: Request, call_next: Any) -> Any:
    response = await call_next(request)
    response.headers["x-layer"] = "function"
    return response


def opened() -> Iterator[str]:
    """A dependency that runs in a thread."""
    yield "opened"


async def user(request: Request, resource: str = Depends(opened)) -> str:
    await asyncio.sleep(0)
    return request.headers.get("x-user", "nobody") + " " + resource


@router.get("/{item_id}", response_model=Item)
async def get_item(item_id: int, who: str = Depends(user)) -> Any:
    if item_id == 404:
        raise HTTPException(404, "no such item")
    return {"name": f"item {item_id} for {who}", "price": 1.5, "tags": ["a"] * 50, "hidden": 1}


@router.post("", status_code=201)
async def add_item(item: Item, who: str = Depends(user)) -> Item:
    return item


@router.get("/sync/{item_id}")
def get_sync(item_id: str) -> dict[str, str]:
    return {"item": item_id}


@app.get("/stream")
async def stream() -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        for i in range(5):
            yield b"part %d;" % i
            await asyncio.sleep(0)

    return StreamingResponse(parts(), media_type="text/plain")


@app.get("/background")
async def background() -> JSONResponse:
    async def afterwards() -> None:
        await asyncio.sleep(0)

    return JSONResponse({"later": True}, background=BackgroundTask(afterwards))


@app.get("/gather")
async def gather() -> list[int]:
    async def one(i: int) -> int:
        await asyncio.sleep(0)
        return i

    return list(await asyncio.gather(*(one(i) for i in range(5))))


@app.get("/fail")
async def fail() -> None:
    raise RuntimeError("on purpose")


@app.websocket("/echo/{room}")
async def echo(socket: WebSocket, room: str) -> None:
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(f"{room}: {text}")


@inner.get("/deep/{name}")
async def deep(name: str) -> PlainTextResponse:
    return PlainTextResponse(name)


app.include_router(router, prefix="/v1")
app.mount("/inner/{tenant}", inner)
app.add_middleware(Stamp)
