"""What every request of the sick edition passes through."""

from __future__ import annotations

import time
import uuid

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response

registry = CollectorRegistry()
requests_total = Counter(
    "shop_requests_total", "Requests", ["method", "route", "status"], registry=registry
)
request_seconds = Histogram(
    "shop_request_seconds", "Time of requests", ["method", "route"], registry=registry
)


class RequestId(BaseHTTPMiddleware):  # culprit: middleware-overhead
    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        response.headers["x-request-id"] = request.headers.get("x-request-id") or uuid.uuid4().hex
        return response


class Metrics(BaseHTTPMiddleware):  # culprit: middleware-overhead
    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        start = time.perf_counter()
        response = await call_next(request)
        route = getattr(request.scope.get("route"), "path", "unknown")
        request_seconds.labels(request.method, route).observe(time.perf_counter() - start)
        requests_total.labels(request.method, route, response.status_code).inc()
        return response
