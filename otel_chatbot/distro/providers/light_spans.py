"""Spans of our own hooks, light: what the SDK's span holds and does, made in a part of its time.

Fed by the hooks through `instrumentation.common.span_maker`; feeds the provider's processors. A light span is a span of the SDK
whose rarely used parts (events, links, limits) are made when somebody asks for them. Whatever the application adds is checked
by the SDK's own code; only plain values under plain names, for which that code changes nothing, go past it. Where anything
unusual is set up (a sampler or ids of the app's own, short limits, the SDK's own metrics), the SDK makes the spans.
A test drives both through the same operations and compares what can be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from time import time_ns
from types import MappingProxyType, NoneType
from typing import Any, Final, NamedTuple

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, SynchronousMultiSpanProcessor, Tracer
from opentelemetry.sdk.trace.sampling import Sampler
from opentelemetry.sdk.util import BoundedList
from opentelemetry.trace import SpanContext, Status, StatusCode
from opentelemetry.util import types

PLAIN: Final = frozenset((str, int, float, bool, bytes, NoneType))
"""Types of values that the SDK takes as they are, where texts may have any length."""
_TEXT: Final = frozenset((str,))


class TracerParts(NamedTuple):
    """What all spans share that a tracer makes while nobody changes its parts."""

    tracer: Tracer
    sampler: Sampler
    resource: Any
    processor: SpanProcessor
    limits: Any
    ids: Any
    most: int
    """Attributes that a span may have."""
    bounds: tuple[int, ...] | None
    """Trace ids whose low half is below are sampled: at a root, and under a parent (remote: 2, sampled: 1, and 1 more)."""
    exceptions: bool
    ours: tuple[SpanProcessor, ...] | None
    """The processors, where all of them are ours; None where others look at the spans too."""
    seen: tuple[SpanProcessor, ...]
    """The processors that were looked at for that: a provider makes a new tuple for each that is added."""


class _LazyAttribute:
    """An attribute of the SDK's spans that is made when it is first asked for."""

    def __init__(self, make: Callable[[Any], Any], *, keep: bool = False) -> None:
        self._make = make
        self._keep = keep
        self._name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, span: Any, owner: type | None = None) -> Any:
        if span is None:
            return self
        made = self._make(span)
        return vars(span).setdefault(self._name, made) if self._keep else made


def _are_plain(values: Iterable[Any]) -> bool:
    """Whether the SDK takes all of these values as they are: plain ones, and tuples of texts, as those of finish reasons."""
    several = [value for value in values if type(value) not in PLAIN]
    return all(type(value) is tuple and _TEXT.issuperset(map(type, value)) for value in several)


def _bounded(span: LightSpan) -> BoundedAttributes:
    """The attributes as the SDK holds them, around the dictionary that is there: what is in it needs no check any more."""
    made = BoundedAttributes(span._made.limits.max_span_attributes, immutable=False)
    made._dict = span.told
    made._immutable = span._end_time is not None
    return made


class LightSpan(Span):
    """A span of the SDK that holds no more than it was told so far."""

    _made: TracerParts
    told: dict[str, Any]
    """Its attributes, for reading only."""
    _end_time = None
    _status = Status(StatusCode.UNSET)
    _trace_config = None
    _instrumentation_info = _LazyAttribute(lambda span: span._made.tracer.instrumentation_info)
    _instrumentation_scope = _LazyAttribute(lambda span: span._made.tracer._instrumentation_scope)
    _resource = _LazyAttribute(lambda span: span._made.resource)
    _sampler = _LazyAttribute(lambda span: span._made.sampler)
    _span_processor = _LazyAttribute(lambda span: span._made.processor)
    _limits = _LazyAttribute(lambda span: span._made.limits)
    _record_exception = _LazyAttribute(lambda span: span._made.exceptions)
    _set_status_on_exception = _LazyAttribute(lambda span: span._made.exceptions)
    _attributes = _LazyAttribute(_bounded, keep=True)
    _events = _LazyAttribute(lambda span: BoundedList(span._made.limits.max_events), keep=True)
    _links = _LazyAttribute(lambda span: BoundedList(span._made.limits.max_links), keep=True)
    _record_end_metrics = None

    @property
    def is_bare(self) -> bool:
        """Whether it has nothing but its attributes: no event, no link, nothing dropped."""
        own = vars(self)
        if "_events" not in own and "_links" not in own and "_attributes" not in own:
            return True
        return not (self.events or self.links or self.dropped_attributes or self.dropped_events or self.dropped_links)

    @property
    def attributes(self) -> types.Attributes:
        """The attributes; of a span that has ended, without the SDK's view of them."""
        return MappingProxyType(self.told) if self._end_time is not None else super().attributes

    def get_span_context(self) -> SpanContext:
        """Who the span is."""
        return self._context  # type: ignore[return-value]

    def set_attribute(self, key: str, value: Any) -> None:
        """Add an attribute, in the place of one of that name."""
        plain = type(value) in PLAIN or (type(value) is tuple and _TEXT.issuperset(map(type, value)))
        if plain and type(key) is str and key:
            told = self.told
            with self._lock:
                if self._end_time is None and (key in told or len(told) < self._made.most):
                    if key in told:
                        del told[key]  # as in the SDK's, the latest comes last
                    told[key] = value
                    return
        super().set_attribute(key, value)

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Add attributes, in the place of those of their names."""
        if (
            type(attributes) is dict
            and (PLAIN.issuperset(map(type, attributes.values())) or _are_plain(attributes.values()))
            and _TEXT.issuperset(map(type, attributes))
            and "" not in attributes
        ):
            told = self.told
            with self._lock:
                if self._end_time is None and len(told) + len(attributes) <= self._made.most:
                    if not told.keys().isdisjoint(attributes):
                        for key in attributes:
                            told.pop(key, None)
                    told.update(attributes)
                    return
        super().set_attributes(attributes)

    def _readable_span(self) -> ReadableSpan:
        """The span as processors of others get it at its end."""
        own = self.__dict__
        found: ReadableSpan = object.__new__(ReadableSpan)
        made = self._made
        fields = found.__dict__
        fields |= {
            "_name": self._name,
            "_context": self._context,
            "_kind": self._kind,
            "_instrumentation_info": made.tracer.instrumentation_info,
            "_instrumentation_scope": made.tracer._instrumentation_scope,
            "_parent": self._parent,
            "_start_time": self._start_time,
            "_end_time": self._end_time,
            "_attributes": self.told,
            "_events": (),
            "_links": (),
            "_resource": made.resource,
            "_status": self._status,
        }
        for name in ("_attributes", "_events", "_links"):
            if name in own:
                fields[name] = own[name]
        return found

    def end(self, end_time: int | None = None) -> None:
        """End the span, now or at a time in unix nanoseconds, and hand it to the processors."""
        with self._lock:
            first = self._end_time is None
            if first:
                self._end_time = time_ns() if end_time is None else end_time
                if "_attributes" in self.__dict__:
                    self._attributes._immutable = True
        if not first:
            super().end(end_time)  # says so in the log
            return
        made = self._made
        processor: Any = made.processor
        ours = made.ours if processor._span_processors is made.seen else ours_of(processor)[0]
        if ours is None:
            processor._on_ending(self)
            processor.on_end(self._readable_span())
            return
        for each in ours:
            each.on_end(self)


READABLE: Final = frozenset(
    {"_name", "_context", "_kind", "_instrumentation_info", "_instrumentation_scope", "_parent", "_start_time", "_end_time"}
    | {"_attributes", "_events", "_links", "_resource", "_status"}
)
"""What the SDK's readable span holds, and ours."""
HELD: Final = frozenset({*vars(LightSpan), "_name", "_kind", "_context", "_parent", "_lock", "_start_time"})
"""What a light span has of the SDK's, from its class or from its maker."""


def ours_of(processor: Any) -> tuple[tuple[SpanProcessor, ...] | None, tuple[SpanProcessor, ...]]:
    """A provider's processors if all of them are ours, which only read spans that have ended, else None; and which they are."""
    found = processor._span_processors
    ours = type(processor) is SynchronousMultiSpanProcessor and all(getattr(each, "only_reads", False) for each in found)
    return (found if ours else None), found
