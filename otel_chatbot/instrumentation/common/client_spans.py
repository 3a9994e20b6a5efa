"""The spans of database commands, begun and ended by the hooks that also count them.

Fed by `mongodb.commands` and `redis.commands`; feeds the tracer. Scope and names are those of OpenTelemetry's
instrumentation of the library, attributes those of the stable database conventions: what upstream lacks of them is added
(`db.operation.name`, `db.namespace`), and a `db.query.text` that is only the command's name is left out. Where that
instrumentation makes spans itself, because the application has asked it to, none are made here.
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
"""Where the context says that nothing is to be instrumented (opentelemetry.instrumentation.utils asks for both)."""
_SCHEMA: Final = "https://opentelemetry.io/schemas/1.25.0"
_FOLLOWS: Final = "localParentNotSampled:AlwaysOffSampler"
"""In the description of a sampler that samples nothing under a span of this process that is not sampled itself."""


def is_suppressed(context: Context) -> bool:
    """Whether the context says that nothing is to be instrumented."""
    return any(map(context.get, _SUPPRESSED))


def follows(provider: TracerProvider) -> bool:
    """Whether a provider's sampler samples nothing under a span of this process that is not sampled itself."""
    sampler = getattr(getattr(provider, "sampler", None), "get_description", str)()
    return sampler == "AlwaysOffSampler" or _FOLLOWS in sampler


def is_unsampled(context: Context) -> bool:
    """Whether the context's span is one of this process that is not sampled."""
    parent: Any = context.get(SPAN_KEY)
    _, span_id, is_remote, flags, _, _ = (parent or trace.INVALID_SPAN).get_span_context()
    return bool(span_id and not is_remote and not flags & 1)


Prepared = tuple[SpanMaker, Context, Decided | None]
"""Who begins a span, under which context, and what was decided of it."""


class ClientSpans:
    """Makes the spans of one library. `module`, `instrumentor`: where OpenTelemetry's instrumentation of it stands."""

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
        if not being_imported(self._module):  # it may be what imports the library
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
        """What a span that begins now is begun with; None where there is to be none. Never raises."""
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
                # A span that is not sampled and that nothing runs in would be made for nobody.
                return None
        except Exception as error:
            report("starting a client span", error)
            return None
        return maker, context, decided

    def start(self, name: str, attributes: dict[str, Any], prepared: Prepared | None = None) -> Span | None:
        """Begin a span, with what was prepared; None where there is to be none. Never raises."""
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
    """Say on a span that its operation failed: the kind of error, never its message, which may hold documents and keys."""
    try:
        if span.is_recording():
            span.set_status(Status(StatusCode.ERROR, kind))
            span.set_attributes({a.ERROR_TYPE: kind, **(more or {})})
    except Exception as error:
        report("marking a client span", error)


def end(span: Span, seconds: float) -> None:
    """End a span that took so long, whatever was done to the clock meanwhile."""
    try:
        try:
            started: int | None = span.start_time  # type: ignore[attr-defined]
        except AttributeError:  # one that records nothing
            started = None
        span.end(None if started is None else started + int(seconds * NANO))
    except Exception as error:
        report("ending a client span", error)
