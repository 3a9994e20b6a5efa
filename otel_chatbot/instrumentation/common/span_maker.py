"""Chooses the maker of our hooks' spans: `distro.providers.light_maker` if it is imported, else the tracer itself.

Fed by the hooks of Flask, the databases and the models, with a tracer; feeds the tracer's provider. This room does not know
the SDK, so it asks through `_wiring` for a maker of lighter spans.
"""

from __future__ import annotations

from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import ProxyTracer, Span, SpanContext, SpanKind, Tracer

from ... import _wiring

Decided = tuple[SpanContext, SpanContext | None]
"""The context of a new span, and its parent's."""


class SpanMaker:
    """Begins spans with one tracer, by the tracer's own method. The span keeps the attributes' dictionary itself, not a copy."""

    def __init__(self, tracer: Tracer, *, exceptions: bool) -> None:
        self._tracer = tracer
        self._exceptions = exceptions

    def drops(self, context: Context) -> bool:  # noqa: ARG002 - only the tracer knows
        """Always False: only the tracer knows."""
        return False

    def decide(self, context: Context) -> Decided | None:  # noqa: ARG002
        """Always None: the tracer decides."""
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
    """The maker of this tracer's spans. `exceptions`: an exception that leaves a `with` block of the span is recorded on it."""
    if isinstance(tracer, ProxyTracer):  # stands for one whose provider is not set yet
        return SpanMaker(tracer, exceptions=exceptions)
    return _wiring.LIGHT_SPANS(tracer, exceptions) or SpanMaker(tracer, exceptions=exceptions)
