"""Who begins the spans of our hooks: `distro.providers.light_spans` where that is in the process, else the tracer itself.

Fed by the hooks of Flask, the databases and the models, with a tracer; feeds the tracer's provider. This room does not know
the SDK, so it asks whether somebody makes lighter spans than the tracer does.
"""

from __future__ import annotations

from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import ProxyTracer, Span, SpanContext, SpanKind, Tracer

from ... import _wiring

Decided = tuple[SpanContext, SpanContext | None]
"""Who a span is to be, and who its parent is."""


class SpanMaker:
    """Begins spans with one tracer, by the tracer's own method. The attributes that it is given become the span's own."""

    def __init__(self, tracer: Tracer, *, exceptions: bool) -> None:
        self._tracer = tracer
        self._exceptions = exceptions

    def drops(self, context: Context) -> bool:  # noqa: ARG002 - only the tracer knows
        """Whether it is known at once that a span under this context is not sampled, for its parent is not."""
        return False

    def decide(self, context: Context) -> Decided | None:  # noqa: ARG002
        """What a span under this context is to be, and its parent; None where only the tracer can say, with name and attributes at hand."""
        return None

    def start(
        self,
        name: str,
        context: Context,
        kind: SpanKind,
        attributes: dict[str, Any],
        start_time: int | None = None,
        decided: Decided | None = None,  # noqa: ARG002
    ) -> Span:
        """Begin a span: as `decide` has said, or else as the tracer decides now."""
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
    """Who begins the spans of this tracer. `exceptions`: what leaves a `with` block of the span is told on it."""
    if isinstance(tracer, ProxyTracer):  # stands for one whose provider is not set yet
        return SpanMaker(tracer, exceptions=exceptions)
    return _wiring.LIGHT_SPANS(tracer, exceptions) or SpanMaker(tracer, exceptions=exceptions)
