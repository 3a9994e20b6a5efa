"""What the tests of MongoDB, Redis and cachelib share: the figures since a moment, and tracing that can be switched."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace import TracerProvider as SdkTracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

from otel_chatbot.metrics import deduplication
from otel_chatbot.metrics.record import AUTOMATIC
from otel_chatbot.metrics.store import STORE
from otel_chatbot.semconv.spec import Kind, MetricSpec


class Hooks(Protocol):
    """The module of a library's hooks."""

    def instrument(self, tracer_provider: Any = None) -> None: ...
    def uninstrument(self) -> None: ...


@contextmanager
def instrumented(hooks: Hooks, sampler: str) -> Iterator[str]:
    """A block in which a library is instrumented, in one request, with this sampler."""
    with undisturbed(), deduplication.request_scope():
        TRACING.sampler = sampler
        TRACING.exporter.clear()
        hooks.instrument(TRACING)
        yield sampler
        hooks.uninstrument()
        TRACING.sampler, TRACING.broken = "always_on", False


class Figures:
    """What has been recorded since this object was made: other tests of the process have left their own behind."""

    def __init__(self) -> None:
        self._before = self._snapshot()

    @staticmethod
    def _snapshot() -> dict[tuple[str, tuple], float]:
        found = {}
        for name, instrument in list(STORE.instruments.items()):
            for key, series in list(instrument.series.items()):
                cells = series.read()
                if instrument.spec.kind is Kind.HISTOGRAM:
                    found[name, key] = sum(cells[1 : 2 + len(instrument.spec.buckets)])
                else:
                    found[name, key] = cells[0]
        return found

    def series(self, spec: MetricSpec) -> dict[tuple, float]:
        """What changed, by key without the attributes that are absent; a histogram's figure is its count."""
        now = self._snapshot()
        changed: dict[tuple, float] = {}
        for (name, key), value in now.items():
            delta = value - self._before.get((name, key), 0.0)
            if name == spec.name and delta:
                changed[tuple(part for part in key if part is not None)] = delta
        return changed

    def named(self, spec: MetricSpec) -> list[tuple[dict[str, object], float]]:
        """What changed, by attribute name, without those that are absent."""
        now = self._snapshot()
        changed = [(key, value - self._before.get((name, key), 0.0)) for (name, key), value in now.items() if name == spec.name]
        pairs = [(zip(spec.attributes, key, strict=True), delta) for key, delta in changed if delta]
        return [({name: value for name, value in pair if value is not None}, delta) for pair, delta in pairs]

    def __call__(self, spec: MetricSpec, *parts: object) -> float:
        """The sum over the series whose keys hold all these values."""
        return sum(value for key, value in self.series(spec).items() if set(parts) <= set(key))


class Tracing:
    """A tracer provider whose sampler and spans each test chooses; upstream keeps its first provider for good."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self._providers = {}
        for name, sampler in (("always_on", ALWAYS_ON), ("always_off", ALWAYS_OFF)):
            self._providers[name] = SdkTracerProvider(sampler=sampler, shutdown_on_exit=False)
            self._providers[name].add_span_processor(SimpleSpanProcessor(self.exporter))
        self.sampler = "always_on"
        self.broken = False

    def get_tracer(self, *args, **kwargs) -> trace.Tracer:
        return _Tracer(self, args, kwargs)

    def provider(self) -> SdkTracerProvider:
        return self._providers[self.sampler]

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self.exporter.get_finished_spans()

    @contextmanager
    def request(self) -> Iterator[trace.Span]:
        """A span around some calls, as a request's would be, in a context of its own."""
        with self.provider().get_tracer("test").start_as_current_span("request") as span:
            yield span


class _Tracer(trace.Tracer):
    def __init__(self, tracing: Tracing, args: tuple, kwargs: dict) -> None:
        self._tracing, self._args, self._kwargs = tracing, args, kwargs

    def _now(self) -> trace.Tracer:
        if self._tracing.broken:
            raise RuntimeError("the tracer is broken")
        return self._tracing.provider().get_tracer(*self._args, **self._kwargs)

    def start_span(self, *args, **kwargs) -> trace.Span:
        return self._now().start_span(*args, **kwargs)

    def start_as_current_span(self, *args, **kwargs):
        return self._now().start_as_current_span(*args, **kwargs)


TRACING = Tracing()


@contextmanager
def undisturbed() -> Iterator[None]:
    """What other tests of this process did by hand with the metrics is out of the way, and comes back."""
    kept = set(AUTOMATIC.active), dict(AUTOMATIC.sources), set(AUTOMATIC.by_hand)
    AUTOMATIC.by_hand.clear()
    token = otel_context.attach(otel_context.Context())
    try:
        yield
    finally:
        otel_context.detach(token)
        AUTOMATIC.active, AUTOMATIC.sources, AUTOMATIC.by_hand = kept


def unkept(series: Any) -> None:
    """The next measurement of a histogram's series leaves its exemplar, however shortly ago another one left the last."""
    series._kept_until = [0.0] * len(series._kept_until)


def until(condition: Callable[[], object], what: str, timeout: float = 10.0) -> None:
    """Wait for a condition, in steps of 10 ms."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {timeout:g} s"
        time.sleep(0.01)


def statement(span: ReadableSpan) -> object:
    """The query's text on a span, by the new name or the old: upstream chooses once a process, by the first test's environment."""
    attributes = span.attributes or {}
    return attributes.get("db.query.text", attributes.get("db.statement"))
