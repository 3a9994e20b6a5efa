"""What a run of an agent leaves: its spans, and what was counted, as JSON for the test that started this process."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_chatbot import config
from otel_chatbot.instrumentation.genai import hooks
from otel_chatbot.semconv import metrics as m
from support.ai import AiWatch

EXPORTER = InMemorySpanExporter()
PROVIDER = TracerProvider(shutdown_on_exit=False)
PROVIDER.add_span_processor(SimpleSpanProcessor(EXPORTER))
FOUND: dict[str, Any] = {}


@contextmanager
def content() -> Iterator[None]:
    """A block in which content is opted in."""
    os.environ["CHATBOT_OTEL_CAPTURE_CONTENT"] = "true"
    config.current.cache_clear()
    yield
    del os.environ["CHATBOT_OTEL_CAPTURE_CONTENT"]
    config.current.cache_clear()


@contextmanager
def case(name: str) -> Iterator[None]:
    """A block under the name of a case, in a span of the application's own."""
    EXPORTER.clear()
    watch = AiWatch(EXPORTER)
    with PROVIDER.get_tracer("app").start_as_current_span("app") as app:
        yield
        assert trace.get_current_span() is app, "the context is not what it was"
    names = {span.context.span_id: span.name for span in watch.spans}
    FOUND[name] = {
        "calls": watch.total(m.AI_RESPONSE_TIME),
        "spans": [
            {
                "name": span.name,
                "parent": names.get(span.parent.span_id if span.parent else 0),
                "status": span.status.status_code.name,
                "attributes": dict(span.attributes or {}),
                "seconds": ((span.end_time or 0) - (span.start_time or 0)) / 1e9,
            }
            for span in watch.spans
        ],
    }


def begin() -> None:
    hooks.instrument(tracer_provider=PROVIDER)


def tell() -> None:
    print(json.dumps(FOUND))
