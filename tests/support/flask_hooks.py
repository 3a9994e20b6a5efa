"""The Flask hooks alone, without the distribution: what they counted, the spans they made, the access records they wrote."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

from otel_chatbot.instrumentation.flask import hooks
from otel_chatbot.metrics.store import STORE
from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv.spec import Kind, MetricSpec


def figures(spec: MetricSpec) -> dict[tuple[Any, ...], float]:
    """A metric's series by key: the total of a counter, the number of values of a histogram, what a gauge holds."""
    found = {}
    for key, series in list(STORE.instrument(spec).series.items()):
        cells = series.read()
        found[key] = sum(cells[1 : 2 + len(spec.buckets)]) if spec.kind is Kind.HISTOGRAM else cells[0]
    return {key: value for key, value in found.items() if value}


def seconds(spec: MetricSpec) -> dict[tuple[Any, ...], float]:
    """A histogram's sums by key."""
    return {key: series.read()[0] for key, series in list(STORE.instrument(spec).series.items())}


WATCHED = (m.API_REQUESTS, m.RESPONSE_TIME, m.HTTP_SERVER_DURATION, m.ERRORS, m.HTTP_SERVER_ACTIVE)


class Watch(logging.Handler):
    """What happened since the watch began."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        super().__init__()
        self.exporter = exporter
        self.access: list[logging.LogRecord] = []
        self.before = {spec: (figures(spec), seconds(spec) if spec.kind is Kind.HISTOGRAM else {}) for spec in WATCHED}

    def emit(self, record: logging.LogRecord) -> None:
        self.access.append(record)

    def counted(self, spec: MetricSpec) -> dict[tuple[Any, ...], float]:
        """What was added to a metric's series."""
        return _less(figures(spec), self.before[spec][0])

    def took(self, spec: MetricSpec) -> dict[tuple[Any, ...], float]:
        """Seconds added to a histogram's series."""
        return _less(seconds(spec), self.before[spec][1])

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    def span(self, name: str) -> ReadableSpan:
        (found,) = [span for span in self.spans if span.name == name]
        return found


def _less(now: dict[tuple[Any, ...], float], before: dict[tuple[Any, ...], float]) -> dict[tuple[Any, ...], float]:
    less = {key: value - before.get(key, 0.0) for key, value in {**dict.fromkeys(before, 0.0), **now}.items()}
    return {key: value for key, value in less.items() if value}


@contextmanager
def hooked(*, sampled: bool = True, processor: Any = None) -> Iterator[Watch]:
    """The process's Flask hooks, installed with a tracer provider of their own."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=ALWAYS_ON if sampled else ALWAYS_OFF, shutdown_on_exit=False)
    simple = SimpleSpanProcessor(exporter)
    provider.add_span_processor(processor(simple) if processor else simple)
    hooks.uninstrument()
    hooks.instrument(provider)
    watch = Watch(exporter)
    logger = logging.getLogger("chatbot.access")
    logger.addHandler(watch)
    try:
        yield watch
    finally:
        logger.removeHandler(watch)
        hooks.uninstrument()
