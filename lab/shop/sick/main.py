"""The sick shop: `uvicorn lab.shop.sick.main:app`."""

from __future__ import annotations

import httpx
import requests
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from lab.shop.sick import basics, orders, products, users
from lab.shop.sick.middleware import Metrics, RequestId

app = FastAPI(title="Shop")
app.add_middleware(Metrics)
app.add_middleware(RequestId)
for module in (basics, users, products, orders):
    app.include_router(module.router)


@app.exception_handler(httpx.HTTPError)
@app.exception_handler(requests.RequestException)
async def upstream_failed(request: Request, exc: Exception) -> JSONResponse:
    return JSONResponse({"detail": "a partner's service is not available"}, 502)
