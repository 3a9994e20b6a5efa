"""Our spans of the openai client's calls are OpenTelemetry's own in name, kind, status and attributes: both run here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from openai import APIError, OpenAI
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from support.ai import watched
from support.endpoint import Endpoint

ASKED: dict[str, Any] = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Say good morning to Ada"}]}
MORE: dict[str, Any] = {
    "temperature": 0.5, "top_p": 0.9, "max_tokens": 64, "frequency_penalty": 0.1, "presence_penalty": 0.2, "stop": ["END"],
    "seed": 7, "n": 2, "response_format": {"type": "json_object"}, "service_tier": "flex",
}  # fmt: skip
OURS = frozenset({"chatbot.ai.cost", "openai.response.system_fingerprint"})
"""What our spans have besides: theirs have the fingerprint of whole answers alone."""
OF_THE_CLOCK = frozenset({"gen_ai.response.time_to_first_chunk"})

Way = Callable[[OpenAI], Any]
WAYS: dict[str, Way] = {
    "whole": lambda client: client.chat.completions.create(**ASKED),
    "whole with parameters": lambda client: client.chat.completions.create(**ASKED, **MORE),
    "stream": lambda client: list(client.chat.completions.create(**ASKED, stream=True, stream_options={"include_usage": True})),
    "response": lambda client: client.responses.create(model="gpt-4o-mini", input="hi", temperature=0.5, max_output_tokens=64),
    "response stream": lambda client: list(client.responses.create(model="gpt-4o-mini", input="hi", stream=True)),
    "embedding": lambda client: client.embeddings.create(
        model="text-embedding-3-small", input="hi", encoding_format="float", dimensions=2
    ),
    "failure": lambda client: client.chat.completions.create(**ASKED, user="fail 400"),
}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as server:
        yield server


def ask(way: Way, url: str) -> None:
    refused = suppress(APIError)  # where the endpoint is told to
    with OpenAI(base_url=url, api_key="k", max_retries=0) as client, refused:
        way(client)


def upstream(way: Way, url: str) -> ReadableSpan:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = OpenAIInstrumentor()
    instrumentor.instrument(tracer_provider=provider, meter_provider=NoOpMeterProvider())
    try:
        ask(way, url)
    finally:
        instrumentor.uninstrument()
    [span] = exporter.get_finished_spans()
    return span


def told(span: ReadableSpan) -> dict[str, Any]:
    attributes = dict(span.attributes or {})
    clock = {name: type(attributes.pop(name)) for name in OF_THE_CLOCK & set(attributes)}
    if "error.type" in attributes:  # the class alone with us, its module too with them
        attributes["error.type"] = str(attributes["error.type"]).rpartition(".")[2]
    return attributes | clock


@pytest.mark.parametrize("name", WAYS)
def test_a_span_has_the_names_and_values_that_upstreams_has(endpoint: Endpoint, name: str) -> None:
    theirs = upstream(WAYS[name], endpoint.url)
    with watched() as watch:
        ask(WAYS[name], endpoint.url)
    ours = watch.span
    assert (ours.name, ours.kind, ours.status.status_code) == (theirs.name, theirs.kind, theirs.status.status_code)
    assert {key: value for key, value in told(ours).items() if key in told(theirs) or key not in OURS} == told(theirs)
