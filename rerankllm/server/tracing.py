"""Traces for OpenTelemetry: a span a request, and in it a span a judgement. They hold no texts."""

import importlib.util
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rerankllm.drivers.events import Event, Judged
from rerankllm.errors import MissingExtra
from rerankllm.server.context import RequestContext

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

BILLION = 1_000_000_000
SERVER_ERROR = 500


def exporting_tracer(version: str) -> "Tracer":
    """A tracer that exports by OTLP over HTTP, to where the `OTEL_…` variables say.

    Raises:
        MissingExtra: OpenTelemetry's SDK or exporter is not installed.
    """
    names = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
    if any(not _there(name) for name in names):
        raise MissingExtra("--otel needs OpenTelemetry's SDK: pip install 'rerankllm[otel]'")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider(resource=Resource.create({"service.name": "rerankllm"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    tracer: Tracer = provider.get_tracer("rerankllm", version)
    return tracer


def _there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


class RequestTrace:
    """The span of a request, under way.

    Args:
        tracer: Makes spans.
        span: The request's.
    """

    def __init__(self, tracer: "Tracer", span: "Span") -> None:
        self._tracer, self._span = tracer, span

    def observe(self, event: Event) -> None:
        """Adds the span of a judgement that was answered; it began when it was asked."""
        if not isinstance(event, Judged):
            return
        from opentelemetry.trace import set_span_in_context  # noqa: PLC0415

        end = time.time_ns()
        span = self._tracer.start_span(
            f"judge {type(event.judgement).__name__}",
            set_span_in_context(self._span),
            start_time=end - int(event.seconds * BILLION),
            attributes={
                "rerankllm.documents": len(event.judgement.docs),
                "rerankllm.answer": event.report.status.value,
                "gen_ai.usage.input_tokens": event.usage.prompt_tokens,
                "gen_ai.usage.output_tokens": event.usage.completion_tokens,
            },
        )
        span.end(end)


@contextmanager
def traced(tracer: "Tracer | None", context: RequestContext, method: str, headers: Mapping[str, str]) -> Iterator[None]:
    """A span for the time of a request that ranks, under the span that the client's `traceparent` names."""
    if tracer is None or not context.ranks:
        yield
        return
    from opentelemetry.trace import SpanKind, Status, StatusCode  # noqa: PLC0415
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    above = TraceContextTextMapPropagator().extract(dict(headers))
    span = tracer.start_span(f"{method} {context.route}", above, kind=SpanKind.SERVER)
    context.trace = RequestTrace(tracer, span)
    try:
        yield
    finally:
        attributes: dict[str, Any] = {
            "http.request.method": method,
            "http.route": context.route,
            "http.response.status_code": context.status,
            "rerankllm.request_id": context.id,
            "rerankllm.alias": context.alias or "",
            "rerankllm.calls": context.calls,
            "gen_ai.usage.input_tokens": context.prompt_tokens,
            "gen_ai.usage.output_tokens": context.completion_tokens,
        }
        span.set_attributes(attributes)
        if context.status >= SERVER_ERROR:
            span.set_status(Status(StatusCode.ERROR))
        span.end()
