"""Chooses the maker of our hooks' spans: `distro.providers.light_maker` if it is imported, else the tracer itself.

Fed by the hooks of Flask, the databases and the models, with a tracer; feeds the tracer's provider. This room does not know
the SDK, so it asks through `_wiring` for a maker of lighter spans.
"""

from __future__ import annotations

from typing import Any, Protocol

from opentelemetry.context import Context
from opentelemetry.trace import ProxyTracer, Span, SpanContext, SpanKind, Tracer

from ... import _wiring

Decided = tuple[SpanContext, SpanContext | None]
"""The context of a new span, and its parent's."""


class SpanMaker(Protocol):
    """Begins spans with one tracer. The span keeps the attributes' dictionary itself, not a copy."""

    def drops(self, context: Context) -> bool:
        """A quick check whether a span under this context is not sampled, because its parent is not."""

    def decide(self, context: Context) -> Decided | None:
        """The context of a new span, and its parent's; None if only the tracer can decide, with the name and the attributes."""

    def start(
        self,
        name: str,
        context: Context,
        kind: SpanKind,
        attributes: dict[str, Any],
        start_time: int | None = None,
        decided: Decided | None = None,
    ) -> Span:
        """Begin a span as `decide` has said; without that, as the tracer decides now."""


class PlainMaker:
    """Begins spans with the tracer's own method."""

    def __init__(self, tracer: Tracer, *, exceptions: bool) -> None:
        self._tracer = tracer
        self._exceptions = exceptions

    def drops(self, _context: Context) -> bool:
        """Always False: only the tracer knows."""
        return False

    def decide(self, _context: Context) -> Decided | None:
        """Always None: the tracer decides."""
        return None

    def start(
        self,
        name: str,
        context: Context,
        kind: SpanKind,
        attributes: dict[str, Any],
        start_time: int | None = None,
        decided: Decided | None = None,  # noqa: ARG002 - nothing was decided
    ) -> Span:
        """Begin a span."""
        return self._tracer.start_span(
            name,
            context,
            kind,
            attributes,
            start_time=start_time,
            record_exception=self._exceptions,
            set_status_on_exception=self._exceptions,
        )


def maker_of(tracer: Tracer, *, exceptions: bool = False) -> SpanMaker:
    """The maker of this tracer's spans. `exceptions`: an exception that leaves a `with` block of the span is recorded on it."""
    if isinstance(tracer, ProxyTracer):  # its provider is not set yet
        return PlainMaker(tracer, exceptions=exceptions)
    return _wiring.LIGHT_SPANS(tracer, exceptions) or PlainMaker(tracer, exceptions=exceptions)
