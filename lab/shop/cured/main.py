"""The cured shop: `uvicorn lab.shop.cured.main:app`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from lab.shop.common.settings import Settings
from lab.shop.cured import basics, orders, products, streams, users
from lab.shop.cured.middleware import Observability
from lab.shop.cured.resources import open_resources

settings = Settings.from_env()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with open_resources(settings) as resources:
        app.state.resources = resources
        yield


app = FastAPI(title="Shop", lifespan=lifespan)
app.add_middleware(Observability)
for module in (basics, users, products, orders, streams):
    app.include_router(module.router)


@app.exception_handler(httpx.HTTPError)
async def upstream_failed(request: Request, exc: Exception) -> JSONResponse:
    return JSONResponse({"detail": "a partner's service is not available"}, 502)
