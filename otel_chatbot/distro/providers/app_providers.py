"""Accepts a provider that the application, or another tool in it, sets after ours. OpenTelemetry alone would refuse it.

Fed by `opentelemetry.*.set_*_provider`, while ours is the global provider; the new one becomes the global one. Spans: both
are one pipeline from then on, with the new provider's sampler, resource and processors, and with our exporters. Metrics: the
new provider's instruments are mirrored as well. Logs: ours goes on beside the new one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from opentelemetry import _logs, trace
from opentelemetry._logs import _internal as logs_api
from opentelemetry.context import Context
from opentelemetry.metrics import _internal as metrics_api
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider

from ..._guard import never_raise
from .. import sdk_private
from . import global_providers
from .lazy_processors import LazySpanProcessor
from .probe_traces import ProbeTraceProcessor

Setter = Callable[..., None]
_P = TypeVar("_P", TracerProvider, MeterProvider)


class LentProcessor(SpanProcessor):
    """One of our processors in another provider: when that provider shuts down, our processor goes on until our own end."""

    only_reads: Final = True
    """See `providers.light_spans.ours_of`."""

    def __init__(self, processor: SpanProcessor) -> None:
        self._processor = processor

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Pass on."""
        self._processor.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        """Pass on."""
        self._processor.on_end(span)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Pass on."""
        return self._processor.force_flush(timeout_millis)

    def shutdown(self) -> None:
        """Do nothing: `distro.process.shutdown` ends ours."""


def share_spans(ours: TracerProvider, theirs: TracerProvider, processors: Sequence[LazySpanProcessor]) -> None:
    """Join our provider and another one into one pipeline: its sampler, resource and processors, and our exporters.

    An exporter of ours is left out if one of the other provider sends the same; so it is if that provider came first.
    """
    there = sdk_private.span_exporters(theirs)
    for processor in processors:
        if not global_providers.sends_the_same(getattr(processor.exporter, "inner", processor.exporter), there):
            theirs.add_span_processor(LentProcessor(ProbeTraceProcessor(processor)))
    sdk_private.yield_to(ours, theirs)


def let_tracers_in(ours: TracerProvider, adopt: Callable[[TracerProvider], None]) -> None:
    """Let the next tracer provider that is set take the place of ours, and `adopt` it."""
    _let_in(trace, "tracer_provider", ours, TracerProvider, adopt)


def let_meters_in(ours: MeterProvider, adopt: Callable[[MeterProvider], None]) -> None:
    """Let the next meter provider that is set take the place of ours, and `adopt` it."""
    _let_in(metrics_api, "meter_provider", ours, MeterProvider, adopt)


def let_loggers_in(ours: LoggerProvider) -> None:
    """Let the next logger provider that is set take the place of ours; the sink goes on feeding ours."""

    def take(theirs: Any) -> bool:
        if _logs.get_logger_provider() is not ours or theirs is ours:
            return False
        logs_api._LOGGER_PROVIDER = theirs
        return True

    _replace(logs_api, "_set_logger_provider", take)


def _let_in(api: Any, name: str, ours: _P, kind: type[_P], adopt: Callable[[_P], None]) -> None:
    """`api` keeps the provider as `_TRACER_PROVIDER` and sets it by `_set_tracer_provider`, and likewise the other names."""
    slot = f"_{name.upper()}"

    def take(theirs: Any) -> bool:
        inside = global_providers.inner(theirs, kind)
        if getattr(api, slot) is not ours or theirs is ours or not isinstance(inside, kind):
            return False
        setattr(api, slot, theirs)
        never_raise(adopt)(inside)
        return True

    _replace(api, f"_set_{name}", take)


def _replace(module: Any, name: str, take: Callable[[Any], bool]) -> None:
    """Ask `take` first whenever a provider is set: all public functions call this private one."""
    original: Setter = getattr(module, name)

    def set_provider(provider: Any, log: bool) -> None:
        if not take(provider):
            original(provider, log)

    setattr(module, name, set_provider)
