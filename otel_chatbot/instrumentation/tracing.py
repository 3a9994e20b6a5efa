"""A tracer provider to hand to OpenTelemetry's own instrumentors, so that a fault of theirs never reaches the application.

Fed by the provider that the distribution set up (the global one by default); feeds the instrumentors of MongoDB and Redis.
It also keeps messages of client errors out of their spans: those hold documents, keys and arguments.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, Tracer, TracerProvider
from opentelemetry.util.types import Attributes

from .._guard import report
from ..semconv import attributes as a


class GuardedTracerProvider(TracerProvider):
    """Gives tracers that make a span that records nothing where the real one fails."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._provider = provider

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes | None = None,
    ) -> Tracer:
        """A guarded tracer of the provider; see `opentelemetry.trace.TracerProvider.get_tracer`."""
        provider = self._provider or trace.get_tracer_provider()
        return _GuardedTracer(
            provider.get_tracer(instrumenting_module_name, instrumenting_library_version, schema_url, attributes)
        )


class _GuardedTracer(Tracer):
    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,  # noqa: ARG002 - the interface's; see start_as_current_span
        set_status_on_exception: bool = True,  # noqa: ARG002
    ) -> Span:
        try:
            return self._tracer.start_span(
                name, context, kind, attributes, links, start_time, record_exception=False, set_status_on_exception=False
            )
        except Exception as error:
            report("starting a client span", error)
            return trace.INVALID_SPAN

    @contextmanager
    def start_as_current_span(  # type: ignore[override]
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,  # noqa: ARG002 - an exception's class is recorded, its message is not
        set_status_on_exception: bool = True,  # noqa: ARG002
        end_on_exit: bool = True,
    ) -> Iterator[Span]:
        span = self.start_span(name, context, kind, attributes, links, start_time)
        try:
            with trace.use_span(span, end_on_exit=False, record_exception=False, set_status_on_exception=False):
                yield span
        except Exception as error:
            mark_failed(span, type(error).__qualname__)
            raise
        finally:
            if end_on_exit:
                _end(span)


def mark_failed(span: Span, kind: str, more: Mapping[str, Any] | None = None) -> None:
    """Say on a span that its operation failed: the kind of error, never its message."""
    try:
        if span.is_recording():
            span.set_status(Status(StatusCode.ERROR, kind))
            span.set_attributes({a.ERROR_TYPE: kind, **(more or {})})
    except Exception as error:
        report("marking a client span", error)


def _end(span: Span) -> None:
    try:
        span.end()
    except Exception as error:
        report("ending a client span", error)
