"""Asks models through their clients with another tool's instrumentation of the client beside ours; prints what came of each call.

The first argument says who is there first, `ours` or `theirs`. Run from tests/ with the Python of the environment `beside`:
`python -m support.beside.model_tools ours`.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import anthropic
import google.genai
import openai
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_chatbot.instrumentation.genai import hooks
from otel_chatbot.semconv import metrics as m
from support.ai import AiWatch
from support.clients.scenario import Prompt
from support.wires.server import WiresServer

EXPORTER = InMemorySpanExporter()
GPT, CLAUDE, FLASH = "gpt-4o-mini", "claude-3-5-haiku-20241022", "gemini-2.0-flash"


def of_openai(prompt: Prompt) -> Any:
    return openai.OpenAI(base_url=prompt.url + "/v1", api_key="k")


def of_anthropic(prompt: Prompt, **more: Any) -> Any:
    return anthropic.Anthropic(base_url=prompt.url, api_key="k", **({"open_telemetry": False} | more))


def of_google(prompt: Prompt) -> Any:
    return google.genai.Client(api_key="k", http_options={"base_url": prompt.url})


def chat(prompt: Prompt) -> Any:
    return of_openai(prompt).chat.completions.create(model=GPT, messages=prompt.messages)


def chat_stream(prompt: Prompt) -> Any:
    chunks = list(of_openai(prompt).chat.completions.create(model=GPT, messages=prompt.messages, stream=True))
    assert all(chunk.choices for chunk in chunks), "the chunk with the tokens, for which the application has not asked"
    return chunks


async def chat_async(prompt: Prompt) -> Any:
    async with openai.AsyncOpenAI(base_url=prompt.url + "/v1", api_key="k") as client:
        return await client.chat.completions.create(model=GPT, messages=prompt.messages)


def response(prompt: Prompt) -> Any:
    return of_openai(prompt).responses.create(model=GPT, input=prompt.text)


def embedding(prompt: Prompt) -> Any:
    return of_openai(prompt).embeddings.create(model="text-embedding-3-small", input=prompt.text)


def message(prompt: Prompt) -> Any:
    return of_anthropic(prompt).messages.create(model=CLAUDE, max_tokens=64, messages=prompt.messages)


def message_stream(prompt: Prompt) -> Any:
    return list(of_anthropic(prompt).messages.create(model=CLAUDE, max_tokens=64, messages=prompt.messages, stream=True))


def message_native(prompt: Prompt) -> Any:
    """With the spans that the client makes by itself."""
    client = of_anthropic(prompt, open_telemetry={})
    return client.messages.create(model=CLAUDE, max_tokens=64, messages=prompt.messages)


async def message_async(prompt: Prompt) -> Any:
    async with anthropic.AsyncAnthropic(base_url=prompt.url, api_key="k", open_telemetry=False) as client:
        return await client.messages.create(model=CLAUDE, max_tokens=64, messages=prompt.messages)


def generate(prompt: Prompt) -> Any:
    client = of_google(prompt)  # a client that is let go closes its connections
    return client.models.generate_content(model=FLASH, contents=prompt.text)


def generate_stream(prompt: Prompt) -> Any:
    client = of_google(prompt)
    return list(client.models.generate_content_stream(model=FLASH, contents=prompt.text))


CALLS: dict[str, tuple[Callable[[Prompt], Any], ...]] = {
    "openai": (chat, chat_stream, chat_async, response, embedding),
    "anthropic": (message, message_stream, message_async, message_native),
    "google": (generate, generate_stream),
}
_UPSTREAM, _INFERENCE = "opentelemetry.instrumentation", "openinference.instrumentation"
TOOLS: dict[str, dict[str, tuple[str, str]]] = {
    "none": {},
    "upstream": {
        "openai": (f"{_UPSTREAM}.genai.openai", "OpenAIInstrumentor"),
        "anthropic": (f"{_UPSTREAM}.genai.anthropic", "AnthropicInstrumentor"),
        "google": (f"{_UPSTREAM}.google_genai", "GoogleGenAiSdkInstrumentor"),
    },
    "OpenInference": {
        "openai": (f"{_INFERENCE}.openai", "OpenAIInstrumentor"),
        "anthropic": (f"{_INFERENCE}.anthropic", "AnthropicInstrumentor"),
        "google": (f"{_INFERENCE}.google_genai", "GoogleGenAIInstrumentor"),
    },
    # Last, because it leaves wrappers behind when it is switched off.
    "OpenLLMetry": {
        "openai": (f"{_UPSTREAM}.openai", "OpenAIInstrumentor"),
        "anthropic": (f"{_UPSTREAM}.anthropic", "AnthropicInstrumentor"),
    },
}


def called(call: Callable[[Prompt], Any], server: WiresServer) -> dict[str, Any]:
    """One call: the spans, and what was counted."""
    server.ledger.begin()
    EXPORTER.clear()
    watch = AiWatch(EXPORTER)
    answer = call(Prompt(server.url, "", "plain", "beside"))
    if inspect.isawaitable(answer):
        asyncio.run(answer)  # type: ignore[arg-type]
    spans = [(span.name, span.instrumentation_scope.name) for span in watch.spans if span.instrumentation_scope]
    told = [(record.input, record.output) for record in server.ledger.records if record.counts]
    return {"spans": spans, "calls": watch.total(m.AI_RESPONSE_TIME), "errors": watch.total(m.ERRORS),
            "tokens": watch.tokens(), "told": told}  # fmt: skip


def round_of(tool: str, first: str, server: WiresServer) -> dict[str, Any]:
    provider = trace.get_tracer_provider()
    theirs = [getattr(import_module(module), name)() for module, name in TOOLS[tool].values()]
    if first == "ours":
        hooks.instrument(tracer_provider=provider)
    for instrumentor in theirs:
        instrumentor.instrument(tracer_provider=provider, skip_dep_check=True)
    if first == "theirs":
        hooks.instrument(tracer_provider=provider)
    clients = TOOLS[tool] or CALLS
    found = {call.__name__: called(call, server) for client in clients for call in CALLS[client]}
    hooks.uninstrument()
    for instrumentor in theirs:
        instrumentor.uninstrument()
    return found


def main() -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(EXPORTER))
    trace.set_tracer_provider(provider)  # which anthropic's own spans ask for
    server = WiresServer().start()
    print(json.dumps({tool: round_of(tool, sys.argv[1], server) for tool in TOOLS}))


if __name__ == "__main__":
    main()
