"""The spans of database commands, begun and ended by the hooks that also count them.

Fed by `mongodb.commands` and `redis.commands`; feeds the tracer. Scope and names are those of OpenTelemetry's
instrumentation of the library; attributes follow the stable database conventions. Two that upstream lacks are added
(`db.operation.name`, `db.namespace`), and a `db.query.text` that is only the command's name is left out. If the application
has switched upstream's instrumentation on, no spans are made here.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, TracerProvider

from ..._clock import NANO
from ..._guard import report
from ...metrics.series import SPAN_KEY, get_current
from ...semconv import attributes as a
from .patching import being_imported
from .span_maker import Decided, SpanMaker, maker_of

_SUPPRESSED: Final = (_SUPPRESS_INSTRUMENTATION_KEY, "suppress_instrumentation")
"""Keys of the context that switch instrumentation off (opentelemetry.instrumentation.utils reads both)."""
_SCHEMA: Final = "https://opentelemetry.io/schemas/1.25.0"
_FOLLOWS: Final = "localParentNotSampled:AlwaysOffSampler"
"""Part of the description of a sampler that samples nothing below an unsampled span of this process."""


def is_suppressed(context: Context) -> bool:
    """Whether the context says that nothing is to be instrumented."""
    return any(map(context.get, _SUPPRESSED))


def follows(provider: TracerProvider) -> bool:
    """Whether a provider's sampler samples nothing below an unsampled span of this process."""
    sampler = getattr(getattr(provider, "sampler", None), "get_description", str)()
    return sampler == "AlwaysOffSampler" or _FOLLOWS in sampler


def is_unsampled(context: Context) -> bool:
    """Whether the context's span belongs to this process and is not sampled."""
    parent: Any = context.get(SPAN_KEY)
    _, span_id, is_remote, flags, _, _ = (parent or trace.INVALID_SPAN).get_span_context()
    return bool(span_id and not is_remote and not flags & 1)


Prepared = tuple[SpanMaker, Context, Decided | None]
"""The maker of a span, its context, and the decision on it."""


class ClientSpans:
    """Makes the spans of one library. `module`, `instrumentor`: the place of OpenTelemetry's instrumentation for it."""

    def __init__(self, module: str, instrumentor: str) -> None:
        self._module, self._instrumentor = module, instrumentor
        self._provider: TracerProvider | None = None
        self._maker: SpanMaker | None = None
        self._theirs: Any = None
        self._follows = False
        self._on = False

    def switch_on(self, provider: TracerProvider | None) -> None:
        """Make spans from now on, with this provider or else the global one."""
        self._provider, self._maker, self._on = provider, None, True
        if not being_imported(self._module):  # upstream's module may be importing the library now
            try:
                self._begin()
            except Exception as error:
                report(f"preparing the spans of {self._module}", error)

    def switch_off(self) -> None:
        """Make no more spans."""
        self._on = False

    def _begin(self) -> SpanMaker:
        upstream = importlib.import_module(self._module)
        self._theirs = getattr(upstream, self._instrumentor)()
        provider = self._provider or trace.get_tracer_provider()
        self._follows = follows(provider)
        self._maker = maker_of(provider.get_tracer(self._module, upstream.__version__, _SCHEMA))
        return self._maker

    def prepare(self) -> Prepared | None:
        """Decide on a span that begins now; None if there is to be none. Never raises."""
        if not self._on:
            return None
        try:
            maker = self._maker or self._begin()
            context = get_current()
            if maker.drops(context) or self._theirs.is_instrumented_by_opentelemetry:
                return None
            if (_SUPPRESSED[0] in context or _SUPPRESSED[1] in context) and is_suppressed(context):
                return None
            decided = maker.decide(context)
            if is_unsampled(context) if decided is None and self._follows else decided is not None and not decided[0][3] & 1:
                # No code runs inside of this span, so an unsampled one would have no use.
                return None
        except Exception as error:
            report("starting a client span", error)
            return None
        return maker, context, decided

    def start(self, name: str, attributes: dict[str, Any], prepared: Prepared | None = None) -> Span | None:
        """Begin a span as it was prepared; None if there is to be none. Never raises."""
        prepared = prepared or self.prepare()
        if prepared is None:
            return None
        maker, context, decided = prepared
        try:
            return maker.start(name, context, SpanKind.CLIENT, attributes, None, decided)
        except Exception as error:
            report("starting a client span", error)
            return None


def mark_failed(span: Span, kind: str, more: Mapping[str, Any] | None = None) -> None:
    """Mark a span as failed, with the kind of error; never with its message, which may hold documents and keys."""
    try:
        if span.is_recording():
            span.set_status(Status(StatusCode.ERROR, kind))
            span.set_attributes({a.ERROR_TYPE: kind, **(more or {})})
    except Exception as error:
        report("marking a client span", error)


def end(span: Span, seconds: float) -> None:
    """End a span after so many seconds, also if the clock was set meanwhile."""
    try:
        try:
            started: int | None = span.start_time  # type: ignore[attr-defined]
        except AttributeError:  # a span that records nothing
            started = None
        span.end(None if started is None else started + int(seconds * NANO))
    except Exception as error:
        report("ending a client span", error)
