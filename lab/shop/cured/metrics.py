"""What the shop counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

registry = CollectorRegistry()
requests_total = Counter(
    "shop_requests_total", "Requests", ["method", "route", "status"], registry=registry
)
request_seconds = Histogram(
    "shop_request_seconds", "Time of requests", ["method", "route"], registry=registry
)
background_jobs = Counter(
    "shop_background_jobs_total", "Jobs after the response", ["outcome"], registry=registry
)
