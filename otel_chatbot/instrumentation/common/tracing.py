"""A tracer provider to hand to OpenTelemetry's package for GenAI clients, so that a fault never reaches the application.

Fed by the provider that the distribution set up (the global one by default); feeds `genai.spans`.
"""

from __future__ import annotations

from typing import Any

from opentelemetry import trace
from opentelemetry.trace import Span, Tracer, TracerProvider
from opentelemetry.util.types import Attributes

from ..._guard import report


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

    def start_span(self, *args: Any, **kwargs: Any) -> Span:
        try:
            return self._tracer.start_span(*args, **{**kwargs, "record_exception": False, "set_status_on_exception": False})
        except Exception as error:
            report("starting a client span", error)
            return trace.INVALID_SPAN

    def start_as_current_span(self, *args: Any, **kwargs: Any) -> Any:
        return self._tracer.start_as_current_span(*args, **kwargs)
