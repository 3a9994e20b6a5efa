"""Requests as chatbots write them by hand: the address and the body of each wire, for the clients of plain HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .scenario import Prompt


@dataclass(frozen=True)
class Shape:
    """One request. `thorough`: it is asked in every mode, the others in a few."""

    name: str
    path: str
    body: Callable[[Prompt], Any]
    streamed: bool = False
    thorough: bool = False

    @property
    def modes(self) -> tuple[str, ...]:
        if not self.thorough:
            return ("plain", "fails")
        more = ("gzip", "split") if self.streamed else ("gzip", "html")
        return ("plain", "refused", "fails", "late", "closed", "garbage", *more)


def chat(model: str, **more: Any) -> Callable[[Prompt], Any]:
    return lambda prompt: {"model": model, "messages": prompt.messages, **more}


def gemini(prompt: Prompt) -> Any:
    return {"contents": [{"role": "user", "parts": [{"text": prompt.text}]}]}


def cohere_v1(prompt: Prompt) -> Any:
    return {"model": "command-r", "message": prompt.text}


def tgi(prompt: Prompt) -> Any:
    return {"inputs": prompt.text, "parameters": {"max_new_tokens": 20, "decoder_input_details": True, "details": True}}


GPT, CLAUDE, FLASH, LLAMA = "gpt-4o-mini", "claude-3-5-haiku-20241022", "gemini-2.0-flash", "llama3.2"
VERTEX = f"/v1/projects/p/locations/us-central1/publishers/google/models/{FLASH}"

SHAPES = (
    Shape("openai_chat", "/v1/chat/completions", chat(GPT), thorough=True),
    Shape(
        "openai_stream",
        "/v1/chat/completions",
        chat(GPT, stream=True, stream_options={"include_usage": True}),
        streamed=True,
        thorough=True,
    ),
    Shape("openai_stream_no_usage", "/v1/chat/completions", chat(GPT, stream=True), streamed=True),
    Shape("openai_completions", "/v1/completions", lambda prompt: {"model": "gpt-3.5-turbo-instruct", "prompt": prompt.text}),
    Shape("openai_responses", "/v1/responses", lambda prompt: {"model": GPT, "input": prompt.text}),
    Shape("openai_responses_stream", "/v1/responses", lambda p: {"model": GPT, "input": p.text, "stream": True}, streamed=True),
    Shape("openai_embeddings", "/v1/embeddings", lambda prompt: {"model": "text-embedding-3-small", "input": prompt.text}),
    Shape(
        "azure_chat", f"/openai/deployments/{GPT}/chat/completions?api-version=2024-10-21", lambda p: {"messages": p.messages}
    ),
    Shape("groq_stream", "/groq/openai/v1/chat/completions", chat("llama-3.1-8b-instant", stream=True), streamed=True),
    Shape("mistral_chat", "/mistral/v1/chat/completions", chat("mistral-small-latest")),
    Shape("anthropic", "/v1/messages", chat(CLAUDE, max_tokens=99), thorough=True),
    Shape("anthropic_stream", "/v1/messages", chat(CLAUDE, max_tokens=99, stream=True), streamed=True, thorough=True),
    Shape("gemini", f"/v1beta/models/{FLASH}:generateContent", gemini, thorough=True),
    Shape("gemini_stream", f"/v1beta/models/{FLASH}:streamGenerateContent?alt=sse", gemini, streamed=True, thorough=True),
    Shape("gemini_array", f"/v1beta/models/{FLASH}:streamGenerateContent", gemini, streamed=True),
    Shape("gemini_key", f"/v1beta/models/{FLASH}:generateContent?key=k", gemini),
    Shape("vertex", VERTEX + ":generateContent", gemini),
    Shape(
        "gemini_embed",
        "/v1beta/models/gemini-embedding-001:embedContent",
        lambda prompt: {"content": {"parts": [{"text": prompt.text}]}},
    ),
    Shape("ollama_chat", "/api/chat", chat(LLAMA, stream=False), thorough=True),
    Shape("ollama_chat_stream", "/api/chat", chat(LLAMA), streamed=True, thorough=True),
    Shape("ollama_generate", "/api/generate", lambda prompt: {"model": LLAMA, "prompt": prompt.text, "stream": False}),
    Shape("ollama_generate_stream", "/api/generate", lambda prompt: {"model": LLAMA, "prompt": prompt.text}, streamed=True),
    Shape("ollama_embed", "/api/embed", lambda prompt: {"model": "all-minilm", "input": prompt.text}),
    Shape("cohere_v1", "/v1/chat", cohere_v1),
    Shape("cohere_v1_stream", "/v1/chat", lambda prompt: {**cohere_v1(prompt), "stream": True}, streamed=True),
    Shape("cohere_v2", "/v2/chat", chat("command-r")),
    Shape("cohere_v2_stream", "/v2/chat", chat("command-r", stream=True), streamed=True),
    Shape("tgi_generate", "/generate", tgi),
    Shape("tgi_stream", "/generate_stream", tgi, streamed=True),
)
