"""Asks a model through each HTTP client with upstream's instrumentations of them beside ours; prints what came of each call.

Once with theirs first, once with ours first, and once `again`: theirs is switched off and on under ours. Run from tests/ with
the Python of the environment `beside`: `python -m support.beside.http_clients`.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
from collections.abc import Callable, Iterator
from typing import Any

import google.genai
import httpx
import openai
import requests
import urllib3
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.instrumentation.httpx import HTTPX2ClientInstrumentor, HTTPXClientInstrumentor, SyncOpenTelemetryTransport
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.instrumentation.urllib import URLLibInstrumentor
from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_chatbot.instrumentation.genai import hooks
from otel_chatbot.semconv import metrics as m
from support.ai import AiWatch
from support.clients import bare
from support.clients.scenario import Prompt
from support.clients.shapes import SHAPES
from support.wires.server import WiresServer

WHOLE = next(shape for shape in SHAPES if shape.name == "openai_chat")
STREAM = next(shape for shape in SHAPES if shape.name == "openai_stream")
THEIRS = (
    HTTPXClientInstrumentor,
    HTTPX2ClientInstrumentor,
    RequestsInstrumentor,
    URLLibInstrumentor,
    URLLib3Instrumentor,
    AioHttpClientInstrumentor,
)


def prepared(prompt: Prompt) -> Any:
    with requests.Session() as session:
        return session.send(session.prepare_request(requests.Request("POST", prompt.url + WHOLE.path, json=WHOLE.body(prompt))))


def one_pool(prompt: Prompt) -> Any:
    with urllib3.HTTPConnectionPool(prompt.url.removeprefix("http://")) as pool:
        return pool.urlopen("POST", WHOLE.path, json.dumps(WHOLE.body(prompt)).encode()).data


def one_client(prompt: Prompt) -> Any:
    """Where only this client is instrumented."""
    with httpx.Client() as client:
        HTTPXClientInstrumentor.instrument_client(client)
        return client.post(prompt.url + WHOLE.path, json=WHOLE.body(prompt)).content


def transport(prompt: Prompt) -> Any:
    """With a transport of theirs around httpx's own."""
    with httpx.Client(transport=SyncOpenTelemetryTransport(httpx.HTTPTransport())) as client:
        return client.post(prompt.url + WHOLE.path, json=WHOLE.body(prompt)).content


def of_openai(prompt: Prompt) -> Any:
    with openai.OpenAI(base_url=prompt.url + "/v1", api_key="k") as client:
        return client.chat.completions.create(model="gpt-4o-mini", messages=prompt.messages)


def of_google(prompt: Prompt) -> Any:
    client = google.genai.Client(api_key="k", http_options={"base_url": prompt.url})
    return client.models.generate_content(model="gemini-2.0-flash", contents=prompt.text)


CALLS: dict[str, Callable[[Prompt], Any]] = {
    "httpx": lambda prompt: bare.with_httpx(prompt, WHOLE),
    "httpx stream": lambda prompt: bare.with_httpx(prompt, STREAM),
    "httpx2": lambda prompt: bare.with_httpx(prompt, WHOLE, "httpx2"),
    "httpx async": lambda prompt: bare.with_httpx_async(prompt, STREAM),
    "httpx one client": one_client,
    "httpx transport": transport,
    "requests": lambda prompt: bare.with_requests(prompt, WHOLE),
    "requests stream": lambda prompt: bare.with_requests(prompt, STREAM),
    "requests prepared": prepared,
    "urllib3": lambda prompt: bare.with_urllib3(prompt, WHOLE),
    "urllib3 stream": lambda prompt: bare.with_urllib3(prompt, STREAM),
    "urllib3 pool": one_pool,
    "urlopen": lambda prompt: bare.with_urlopen(prompt, WHOLE),
    "urlopen stream": lambda prompt: bare.with_urlopen(prompt, STREAM),
    "aiohttp": lambda prompt: bare.with_aiohttp(prompt, WHOLE),
    "aiohttp stream": lambda prompt: bare.with_aiohttp(prompt, STREAM),
    "openai": of_openai,
    "google-genai": of_google,
}


@contextlib.contextmanager
def both(order: str) -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    theirs = [kind() for kind in THEIRS]
    if order != "theirs":
        hooks.instrument(tracer_provider=provider)
    for instrumentor in theirs:
        instrumentor.instrument(tracer_provider=provider)
        if order == "again":
            instrumentor.uninstrument()
            instrumentor.instrument(tracer_provider=provider)
    if order == "theirs":
        hooks.instrument(tracer_provider=provider)
    yield exporter
    for instrumentor in theirs:
        instrumentor.uninstrument()


def called(name: str, prompt: Prompt, exporter: InMemorySpanExporter) -> dict[str, Any]:
    """One call: the spans, and what was counted."""
    exporter.clear()
    watch = AiWatch(exporter)
    answer = CALLS[name](prompt)
    if inspect.isawaitable(answer):
        asyncio.run(answer)  # type: ignore[arg-type]
    spans = [
        {"name": span.name, "id": span.context.span_id, "parent": span.parent and span.parent.span_id} for span in watch.spans
    ]
    return {"spans": spans, "calls": watch.total(m.AI_RESPONSE_TIME), "errors": watch.total(m.ERRORS), "tokens": watch.tokens()}


def round_of(order: str, server: WiresServer) -> dict[str, Any]:
    """One call through each client."""
    prompt = Prompt(server.url, "", "plain", "beside")
    found: dict[str, Any] = {}
    with both(order) as exporter:
        for name in CALLS:
            server.ledger.begin()
            found[name] = called(name, prompt, exporter)
            found[name]["told"] = [(record.input, record.output) for record in server.ledger.records if record.counts]
    exporter.clear()
    bare.with_requests(prompt, WHOLE)
    after = [span.name for span in exporter.get_finished_spans()]
    hooks.uninstrument()
    return {"calls": found, "after": after}


def main() -> None:
    server = WiresServer().start()
    print(json.dumps({order: round_of(order, server) for order in ("theirs", "ours", "again")}))


if __name__ == "__main__":
    main()
