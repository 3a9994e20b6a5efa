"""Traces of probes and scrapes, held back until it is known whether they failed.

Fed by the tracer provider; feeds the batch processor behind it. A sampler cannot do this: it decides at the start.

A trace is held from the start of its local root: a span that the Flask hook marked as a probe, or another
instrumentation's span with the route of a probe. When the root ends, all of the trace is passed on, or nothing. Spans that
start later in that trace follow the decision, as long as it is remembered.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import SpanKind, StatusCode

from ... import config
from ..._clock import monotonic
from ..._fork import at_fork
from ...instrumentation.flask.probes import PATHS, PROBE
from ...semconv import attributes as a
from .lazy_processors import LazySpanProcessor

HUNG: Final = 5.0
"""Seconds after which a probe without an answer counts as failed."""
_MOST_HELD: Final = 256
_MOST_SPANS: Final = 512
_MOST_DECISIONS: Final = 256


class _Trace:
    """A probe's part of a trace: the ids of its spans, the ended spans, and the decision."""

    __slots__ = ("began", "ended", "keep", "members", "root")

    def __init__(self, root: int) -> None:
        self.root = root
        self.members = {root}
        self.ended: list[ReadableSpan] = []
        self.keep: bool | None = None
        self.began = monotonic()


class ProbeTraceProcessor(SpanProcessor):
    """Passes spans on to `inner`; for those of probes, the setting PROBE_TRACES decides: `failed`, `all` or `none`."""

    only_reads: Final = True
    """See `providers.light_spans.ours_of`."""

    def __init__(self, inner: SpanProcessor, mode: str | None = None, hung: float = HUNG) -> None:
        self.inner = inner
        self._inner_starts = not isinstance(inner, LazySpanProcessor)
        self._mode = mode
        self._hung = hung
        self._renew()
        at_fork(__name__, in_child=self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[int, _Trace] = OrderedDict()  # by the root's span id, oldest first
        self._decided: OrderedDict[int, _Trace] = OrderedDict()
        self._of: dict[int, _Trace] = {}  # by the id of every member, as long as its trace is held or remembered

    @property
    def mode(self) -> str:
        """Which traces of probes are kept."""
        return self._mode or config.current().probe_traces

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Hold a probe's trace from its root on, and note which spans belong to it."""
        if self._inner_starts:
            self.inner.on_start(span, parent_context)
        parent = span.parent
        if parent is not None and not parent.is_remote:
            if self._of and self.mode != "all" and span.context is not None:
                self._join(parent.span_id, span.context.span_id)
        elif _is_probe(span, parent_context) and self.mode != "all" and span.context is not None:
            self._hold(span.context.span_id)

    def _join(self, parent_id: int, span_id: int) -> None:
        with self._lock:
            trace = self._of.get(parent_id)
            if trace is not None and len(trace.members) < _MOST_SPANS:
                trace.members.add(span_id)
                self._of[span_id] = trace

    def _hold(self, span_id: int) -> None:
        with self._lock:
            trace = _Trace(span_id)
            self._held[span_id] = self._of[span_id] = trace
            released = self._release(len(self._held) > _MOST_HELD)
        self._pass_on(released)

    def on_end(self, span: ReadableSpan) -> None:
        """Pass a span on, unless it belongs to a probe that succeeded or is not decided yet."""
        if self._of and span.context is not None:
            with self._lock:
                trace = self._of.get(span.context.span_id)
                released = self._release(full=False)
                if trace is not None:
                    released += self._ended(trace, span)
            self._pass_on(released)
            if trace is not None:
                return
        self.inner.on_end(span)

    def _ended(self, trace: _Trace, span: ReadableSpan) -> list[ReadableSpan]:
        assert span.context is not None
        if trace.keep is not None:
            return [span] if trace.keep else []
        trace.ended.append(span)
        if span.context.span_id != trace.root:
            return []
        return self._decide(trace, keep=self.mode == "failed" and _failed(span))

    def _decide(self, trace: _Trace, *, keep: bool) -> list[ReadableSpan]:
        trace.keep = keep
        self._held.pop(trace.root, None)
        self._decided[trace.root] = trace
        if len(self._decided) > _MOST_DECISIONS:
            _, forgotten = self._decided.popitem(last=False)
            for span_id in forgotten.members:
                self._of.pop(span_id, None)
        spans, trace.ended = trace.ended, []
        return spans if keep else []

    def _release(self, full: bool, everything: bool = False) -> list[ReadableSpan]:
        """Decide about the probes that hang, and about the oldest one if too many are held."""
        now = monotonic()
        released: list[ReadableSpan] = []
        while self._held:
            oldest = next(iter(self._held.values()))
            if not full and not everything and now - oldest.began < self._hung:
                break
            full = False
            released += self._decide(oldest, keep=self.mode == "failed")
        return released

    def _pass_on(self, spans: list[ReadableSpan]) -> None:
        for span in spans:
            self.inner.on_end(span)

    def shutdown(self) -> None:
        """Pass on all held spans and shut `inner` down: a process that ends in the middle of a probe is no success."""
        with self._lock:
            released = self._release(full=False, everything=True)
        self._pass_on(released)
        self.inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Pass on the spans of probes that hang, and flush `inner`."""
        with self._lock:
            released = self._release(full=False)
        self._pass_on(released)
        return self.inner.force_flush(timeout_millis)


def _is_probe(span: Span, parent_context: Context | None) -> bool:
    if otel_context.get_value(PROBE, parent_context) is True:
        return True
    if span.kind is not SpanKind.SERVER:
        return False
    attributes = getattr(span, "told", None)  # only light spans have it
    if attributes is None:
        attributes = span.attributes
    return attributes is not None and attributes.get(a.HTTP_ROUTE) in PATHS


def _failed(root: ReadableSpan) -> bool:
    """Whether a probe failed: an error, or an answer that a prober takes for one."""
    if root.status.status_code is StatusCode.ERROR:
        return True
    status = (root.attributes or {}).get(a.HTTP_STATUS)
    slow = root.end_time is not None and root.start_time is not None and root.end_time - root.start_time > HUNG * 1e9
    return slow or (isinstance(status, int) and status >= 300)
