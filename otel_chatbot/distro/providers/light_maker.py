"""Begins the spans of our own hooks: light spans if provider and tracer are set up as usual, else the SDK's.

Fed by the hooks through `instrumentation.common.span_maker`; feeds `providers.light_spans`. The sampling decision comes
first, so that nothing is computed for a span that is not sampled.
"""

from __future__ import annotations

import functools
import random
import sys
import threading
from time import time_ns
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Tracer, _Span
from opentelemetry.sdk.trace._tracer_metrics import NoOpTracerMetrics
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, StaticSampler, TraceIdRatioBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags

from ...instrumentation.common.span_maker import Decided, SpanMaker
from ...metrics.series import SPAN_KEY
from .light_spans import HELD, PLAIN, READABLE, LightSpan, TracerParts, ours_of

_LOW: Final = TraceIdRatioBased.TRACE_ID_LIMIT
_ALL: Final = _LOW + 1
_FLAGS: Final = tuple(map(TraceFlags, range(4)))
_RANDOM: Final = 2
"""The bit of the trace flags that says that the trace id is random."""
_NO_STATE: Final = trace.INVALID_SPAN_CONTEXT.trace_state
_FEWEST: Final = 64
"""Our hooks alone never set so many attributes; with a lower limit, the SDK makes the spans."""
_START_SPAN: Final = Tracer.start_span
_new: Final = object.__new__
_new_tuple: Final = tuple.__new__


class LightMaker(SpanMaker):
    """Begins the spans of one tracer, light ones where it can."""

    _tracer: Tracer

    def __init__(self, tracer: Tracer, *, exceptions: bool) -> None:
        super().__init__(tracer, exceptions=exceptions)
        self._made: TracerParts
        self._dropping: Sampler | None = None
        """The sampler, if it samples nothing below an unsampled span of this process."""
        self._look()

    def _look(self) -> TracerParts:
        """Read the parts of the tracer as they are now."""
        tracer = self._tracer
        limits, ids, processor = tracer._span_limits, tracer.id_generator, tracer.span_processor
        most = sys.maxsize if limits.max_span_attributes is None else limits.max_span_attributes
        usual = (
            type(tracer._tracer_metrics) is NoOpTracerMetrics
            and type(ids) is RandomIdGenerator
            and limits.max_span_attribute_length is None
            and most >= _FEWEST
        )
        bounds = _bounds(tracer.sampler) if usual else None
        self._dropping = tracer.sampler if bounds is not None and not bounds[1] else None
        ours, seen = ours_of(processor)
        self._made = made = TracerParts(
            tracer, tracer.sampler, tracer.resource, processor, limits, ids, most, bounds, self._exceptions, ours, seen
        )
        return made

    def drops(self, context: Context) -> bool:
        """A quick check: the context's span is an unsampled one of this process, and the sampler samples nothing below it."""
        if self._dropping is not self._tracer.sampler:
            return False
        span: Any = context.get(SPAN_KEY)
        if type(span) is not NonRecordingSpan:
            return False
        _, span_id, remote, flags, _, _ = span._context
        return bool(span_id) and not remote and not flags & 1

    def decide(self, context: Context) -> Decided | None:
        """The context of a new span under this context, and its parent; None if the SDK must make the span."""
        made, tracer = self._made, self._tracer
        if (
            tracer.sampler is not made.sampler
            or tracer.resource is not made.resource
            or tracer.span_processor is not made.processor
            or tracer._span_limits is not made.limits
            or tracer.id_generator is not made.ids
        ):
            made = self._look()  # another provider has taken over, or a fork has changed the resource
        bounds = made.bounds
        if bounds is None or not tracer._tracer_config.is_enabled or Tracer.start_span is not _START_SPAN:
            return None
        running: Any = None
        if SPAN_KEY in context:  # not `get`: each call counts here
            running = context[SPAN_KEY]
        if type(running) is LightSpan:
            parent: Any = running._context  # which is of this process, and valid
            trace_id, _, _, told, state, _ = parent
            flags = told & _RANDOM
            if trace_id & _LOW < bounds[1 + (told & 1)]:
                flags |= 1
            return _new_tuple(SpanContext, (trace_id, random.getrandbits(64) or 1, False, _FLAGS[flags], state, True)), parent
        parent = None if running is None else running.get_span_context()
        if parent is None or not parent.is_valid:
            parent = None
            trace_id = random.getrandbits(128) or 1
            bound, flags, state = bounds[0], _RANDOM, _NO_STATE
        else:
            if type(parent) is not SpanContext:
                return None
            trace_id, _, remote, told, state, _ = parent
            bound, flags = bounds[1 + (told & 1) + (2 if remote else 0)], told & _RANDOM
        if trace_id & _LOW < bound:
            flags |= 1
        return _new_tuple(SpanContext, (trace_id, random.getrandbits(64) or 1, False, _FLAGS[flags], state, True)), parent

    def start(
        self,
        name: str,
        context: Context,
        kind: SpanKind,
        attributes: dict[str, Any],
        start_time: int | None = None,
        decided: Decided | None = None,
    ) -> trace.Span:
        """Begin a span: a light one, one that records nothing, or the SDK's."""
        if decided is None:
            decided = self.decide(context)
            if decided is None:
                return super().start(name, context, kind, attributes, start_time)
        own, _ = decided
        if not own[3] & 1:
            return NonRecordingSpan(own)
        made = self._made
        span: LightSpan = _new(LightSpan)
        span._made = made
        span._name, span._kind = name, kind
        span._context, span._parent = decided
        span._lock = threading.Lock()
        if PLAIN.issuperset(map(type, attributes.values())):
            span.told = attributes
        else:
            span.told = {}
            span._attributes._set_items(attributes)
        span._start_time = time_ns() if start_time is None else start_time
        ours = made.ours if made.processor._span_processors is made.seen else ours_of(made.processor)[0]  # type: ignore[attr-defined]
        if ours is None:
            made.processor.on_start(span, parent_context=context)
        else:
            for each in ours:
                each.on_start(span, context)
        return span


def _bounds(sampler: Sampler) -> tuple[int, ...] | None:
    """For a root and for the four kinds of parents: trace ids below the bound are sampled. None for other samplers."""
    if type(sampler).should_sample is not ParentBased.should_sample:
        bound = _bound(sampler)
        return None if bound is None else (bound,) * 5
    assert isinstance(sampler, ParentBased)
    kinds = (
        sampler._root,
        sampler._local_parent_not_sampled,
        sampler._local_parent_sampled,
        sampler._remote_parent_not_sampled,
        sampler._remote_parent_sampled,
    )
    found = tuple(bound for bound in map(_bound, kinds) if bound is not None)
    return found if len(found) == len(kinds) else None


def _bound(sampler: Sampler) -> int | None:
    kind: Any = type(sampler)
    if kind.should_sample is StaticSampler.should_sample:
        decision = sampler._decision  # type: ignore[attr-defined]
        return {Decision.DROP: 0, Decision.RECORD_AND_SAMPLE: _ALL}.get(decision)
    if kind.should_sample is TraceIdRatioBased.should_sample and kind.bound is TraceIdRatioBased.bound:
        return sampler.bound  # type: ignore[attr-defined, no-any-return]
    return None


@functools.lru_cache(maxsize=1)
def _is_known() -> bool:
    """Whether light spans have all that this SDK's spans hold: a later SDK may keep more in them."""
    theirs = _Span("", trace.INVALID_SPAN_CONTEXT, resource=Resource({}))
    return set(vars(theirs)) <= HELD and vars(theirs._readable_span()).keys() == READABLE and Tracer.start_span is _START_SPAN


def maker(tracer: trace.Tracer, exceptions: bool) -> LightMaker | None:
    """A maker of light spans for this tracer; None if the tracer is not the SDK's, or the SDK is not known here."""
    return LightMaker(tracer, exceptions=exceptions) if type(tracer) is Tracer and _is_known() else None
