"""The instrumentation of AI clients alone, without the distribution: what was counted, and the spans that were made."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

from otel_chatbot import config
from otel_chatbot.instrumentation.genai import call, hooks
from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv.spec import Kind, MetricSpec

from .flask_hooks import figures, seconds

WATCHED = (
    m.AI_RESPONSE_TIME, m.ERRORS, m.AI_COST, m.AI_COST_SAVED, m.AI_UNPRICED, m.TURN_TIME,
    m.GEN_AI_DURATION, m.GEN_AI_TOKENS, m.GEN_AI_FIRST_CHUNK, m.GEN_AI_CHUNK,
)  # fmt: skip


class AiWatch:
    """What happened since the watch began. Figures are by the values of a metric's attributes, in the table's order."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter
        self._before = {spec: self._now(spec) for spec in WATCHED}

    def counted(self, spec: MetricSpec) -> dict[tuple[Any, ...], float]:
        """What was added to a counter, or how many values to a histogram."""
        return self._since(spec, 0)

    def summed(self, spec: MetricSpec) -> dict[tuple[Any, ...], float]:
        """What was added to a histogram's sums."""
        return self._since(spec, 1)

    def total(self, spec: MetricSpec) -> float:
        """What was added, over all series."""
        return sum(self.counted(spec).values())

    def tokens(self) -> dict[str, float]:
        """Tokens by type."""
        found: dict[str, float] = {}
        for key, value in self.summed(m.GEN_AI_TOKENS).items():
            found[key[-1]] = found.get(key[-1], 0.0) + value
        return found

    @property
    def spans(self) -> list[ReadableSpan]:
        call.end_abandoned()
        return list(self._exporter.get_finished_spans())

    @property
    def span(self) -> ReadableSpan:
        """The only span."""
        (found,) = self.spans
        return found

    @staticmethod
    def _now(spec: MetricSpec) -> tuple[dict[Any, float], dict[Any, float]]:
        return figures(spec), seconds(spec) if spec.kind is Kind.HISTOGRAM else {}

    def _since(self, spec: MetricSpec, which: int) -> dict[tuple[Any, ...], float]:
        call.end_abandoned()
        now, before = self._now(spec)[which], self._before[spec][which]
        return {key: value - before.get(key, 0.0) for key, value in now.items() if value != before.get(key, 0.0)}


@contextmanager
def watched(*, sampled: bool = True) -> Iterator[AiWatch]:
    """AI clients instrumented with a tracer provider of their own."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=ALWAYS_ON if sampled else ALWAYS_OFF, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    hooks.uninstrument()
    hooks.instrument(tracer_provider=provider)
    try:
        yield AiWatch(exporter)
    finally:
        hooks.uninstrument()


@contextmanager
def addresses(rows: str) -> Iterator[None]:
    """With the setting that names further addresses of models; empty, none is known."""
    try:
        with patch.dict(os.environ, CHATBOT_OTEL_AI_ADDRESSES=rows):
            config.current.cache_clear()
            yield
    finally:
        config.current.cache_clear()
