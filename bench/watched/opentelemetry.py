"""The cured shop under OpenTelemetry's FastAPI and SQLAlchemy instrumentation, full sampling.

Spans are batched and thrown away, so that no exporter's network is in the figure.
"""

from collections.abc import Sequence

from opentelemetry import trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult


class Nowhere(SpanExporter):
    """Takes spans and forgets them."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS


provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(Nowhere()))
trace.set_tracer_provider(provider)
# It declares itself unfit for SQLAlchemy 2.1 but works; engines are made in the lifespan, later.
SQLAlchemyInstrumentor().instrument(skip_dep_check=True)

from lab.shop.cured.main import app  # noqa: E402 - after the instrumentation, as its manual asks

FastAPIInstrumentor.instrument_app(app)
