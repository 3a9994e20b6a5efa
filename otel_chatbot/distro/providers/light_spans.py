"""Light spans for our own hooks: they hold and do the same as the SDK's spans, and are made faster.

Fed by the hooks through `providers.light_maker`; feeds the provider's processors. A light span is a span of the SDK whose
rarely used parts (events, links, limits) are made at their first use. The SDK's own code checks everything that the
application adds, except plain values under plain names, which that code would not change. If anything unusual is set up (the
app's own sampler or ids, short limits, the SDK's own metrics), the SDK makes the spans.
A test runs the same operations on both and compares all that can be read.
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
"""Types of values that the SDK takes unchanged, if it does not limit the length of texts."""
_TEXT: Final = frozenset((str,))


class TracerParts(NamedTuple):
    """The parts of a tracer that all its spans share until one of them is changed."""

    tracer: Tracer
    sampler: Sampler
    resource: Any
    processor: SpanProcessor
    limits: Any
    ids: Any
    most: int
    """The most attributes that a span may have."""
    bounds: tuple[int, ...] | None
    """Trace ids with a lower low half are sampled. Index 0: a root; under a parent 1, plus 1 if sampled, plus 2 if remote."""
    exceptions: bool
    ours: tuple[SpanProcessor, ...] | None
    """The processors, if all are ours; None if other processors see the spans too."""
    seen: tuple[SpanProcessor, ...]
    """The tuple of processors that was examined for `ours`: a provider makes a new tuple when one is added."""


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
    """Whether the SDK takes all of these values unchanged: plain values, and tuples of texts (finish reasons, say)."""
    several = [value for value in values if type(value) not in PLAIN]
    return all(type(value) is tuple and _TEXT.issuperset(map(type, value)) for value in several)


def _bounded(span: LightSpan) -> BoundedAttributes:
    """The attributes in the SDK's class, around the existing dictionary, whose content needs no further check."""
    made = BoundedAttributes(span._made.limits.max_span_attributes, immutable=False)
    made._dict = span.told
    made._immutable = span._end_time is not None
    return made


class LightSpan(Span):
    """A span of the SDK that only holds what was set so far."""

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
        """Whether the span only has attributes: no event, no link, nothing dropped."""
        own = vars(self)
        if "_events" not in own and "_links" not in own and "_attributes" not in own:
            return True
        return not (self.events or self.links or self.dropped_attributes or self.dropped_events or self.dropped_links)

    @property
    def attributes(self) -> types.Attributes:
        """The attributes; after the end, a plain read-only view instead of the SDK's."""
        return MappingProxyType(self.told) if self._end_time is not None else super().attributes

    def get_span_context(self) -> SpanContext:
        """The span's ids and flags."""
        return self._context  # type: ignore[return-value]

    def set_attribute(self, key: str, value: Any) -> None:
        """Set an attribute; it replaces one of the same name."""
        plain = type(value) in PLAIN or (type(value) is tuple and _TEXT.issuperset(map(type, value)))
        if plain and type(key) is str and key:
            told, lock = self.told, self._lock
            lock.acquire()
            try:
                if self._end_time is None and (key in told or len(told) < self._made.most):
                    if key in told:
                        del told[key]  # as in the SDK, the newest comes last
                    told[key] = value
                    return
            finally:
                lock.release()
        super().set_attribute(key, value)

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Set attributes; they replace those of the same names."""
        if (
            type(attributes) is dict
            and (PLAIN.issuperset(map(type, attributes.values())) or _are_plain(attributes.values()))
            and _TEXT.issuperset(map(type, attributes))
            and "" not in attributes
        ):
            told, lock = self.told, self._lock
            lock.acquire()
            try:
                if self._end_time is None and len(told) + len(attributes) <= self._made.most:
                    if not told.keys().isdisjoint(attributes):
                        for key in attributes:
                            told.pop(key, None)
                    told |= attributes
                    return
            finally:
                lock.release()
        super().set_attributes(attributes)

    def _readable_span(self) -> ReadableSpan:
        """The ended span, as processors that are not ours get it."""
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
        lock = self._lock
        lock.acquire()
        try:
            first = self._end_time is None
            if first:
                self._end_time = time_ns() if end_time is None else end_time
                if "_attributes" in self.__dict__:
                    self._attributes._immutable = True
        finally:
            lock.release()
        if not first:
            super().end(end_time)  # it only logs a warning
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
"""The fields of the SDK's readable span, and of ours."""
HELD: Final = frozenset({*vars(LightSpan), "_name", "_kind", "_context", "_parent", "_lock", "_start_time"})
"""The fields of the SDK's span that a light span has, from its class or from its maker."""


def ours_of(processor: Any) -> tuple[tuple[SpanProcessor, ...] | None, tuple[SpanProcessor, ...]]:
    """A provider's processors if all are ours (they only read ended spans), else None; and the tuple that was examined."""
    found = processor._span_processors
    ours = type(processor) is SynchronousMultiSpanProcessor and all(getattr(each, "only_reads", False) for each in found)
    return (found if ours else None), found
