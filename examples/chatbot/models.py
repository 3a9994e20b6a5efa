"""The model, behind one small interface: messages go in, text comes out, whole or in pieces.

MODEL_CLIENT says which client asks it, and only that one is imported:

    openai        OpenAI, and everything that speaks its API (OPENAI_BASE_URL)
    anthropic     Claude
    google-genai  Gemini
    httpx         no client at all: an OpenAI-compatible address by plain HTTP
"""

import json
import os
from collections.abc import Generator
from contextlib import closing
from typing import Any, Protocol

INSTRUCTIONS = "You are a friendly assistant. Answer briefly and say so when you do not know."
LONGEST_ANSWER = 1024
"""In tokens; Anthropic's API has no default."""

Messages = list[dict[str, str]]
Pieces = Generator[str, None, None]


class ModelError(Exception):
    """The model gave no answer."""


class Model(Protocol):
    """A client of a model. `stream` has asked the model when it returns, so that a refusal is known by then."""

    default: str

    def ask(self, name: str, messages: Messages) -> str: ...

    def stream(self, name: str, messages: Messages) -> Pieces: ...


def from_environment() -> Model:
    """The client that MODEL_CLIENT names. ValueError for an unknown name."""
    chosen = os.environ.get("MODEL_CLIENT") or "openai"
    if chosen not in CLIENTS:
        raise ValueError(f"MODEL_CLIENT={chosen}: expected one of {', '.join(CLIENTS)}")
    timeout, retries = float(os.environ.get("MODEL_TIMEOUT") or 60), int(os.environ.get("MODEL_MAX_RETRIES") or 2)
    return CLIENTS[chosen](timeout, retries)


class OpenAIModel:
    """By the `openai` client."""

    default = "gpt-4o-mini"

    def __init__(self, timeout: float, retries: int) -> None:
        from openai import OpenAI, OpenAIError

        self._client = OpenAI(api_key=os.environ.get("OPENAI_API_KEY") or "none", timeout=timeout, max_retries=retries)
        self._error = OpenAIError

    def ask(self, name: str, messages: Messages) -> str:
        try:
            completion = self._client.chat.completions.create(model=name, messages=with_instructions(messages))
        except self._error as error:
            raise ModelError(type(error).__name__) from error
        return completion.choices[0].message.content or ""

    def stream(self, name: str, messages: Messages) -> Pieces:
        try:
            chunks = self._client.chat.completions.create(model=name, messages=with_instructions(messages), stream=True)
        except self._error as error:
            raise ModelError(type(error).__name__) from error
        return self._pieces(chunks)

    @staticmethod
    def _pieces(chunks: Any) -> Pieces:
        with chunks:  # closing the connection tells the model's server that nobody listens any more
            for chunk in chunks:
                if chunk.choices and chunk.choices[0].delta.content:
                    yield chunk.choices[0].delta.content


class AnthropicModel:
    """By the `anthropic` client."""

    default = "claude-haiku-4-5"

    def __init__(self, timeout: float, retries: int) -> None:
        from anthropic import Anthropic, AnthropicError

        self._client = Anthropic(api_key=os.environ.get("ANTHROPIC_API_KEY") or "none", timeout=timeout, max_retries=retries)
        self._error = AnthropicError

    def ask(self, name: str, messages: Messages) -> str:
        try:
            answer = self._client.messages.create(**self._asked(name, messages))
        except self._error as error:
            raise ModelError(type(error).__name__) from error
        return "".join(block.text for block in answer.content if block.type == "text")

    def stream(self, name: str, messages: Messages) -> Pieces:
        try:
            events = self._client.messages.create(**self._asked(name, messages), stream=True)
        except self._error as error:
            raise ModelError(type(error).__name__) from error
        return self._pieces(events)

    @staticmethod
    def _asked(name: str, messages: Messages) -> dict[str, Any]:
        return {"model": name, "system": INSTRUCTIONS, "messages": messages, "max_tokens": LONGEST_ANSWER}

    @staticmethod
    def _pieces(events: Any) -> Pieces:
        with events:
            for event in events:
                if event.type == "content_block_delta" and event.delta.type == "text_delta":
                    yield event.delta.text


class GeminiModel:
    """By the `google-genai` client."""

    default = "gemini-2.5-flash"

    def __init__(self, timeout: float, retries: int) -> None:
        from google import genai
        from google.genai import errors, types

        again = types.HttpRetryOptions(attempts=retries + 1)
        options = types.HttpOptions(timeout=int(timeout * 1000), retry_options=again)  # milliseconds
        key = os.environ.get("GEMINI_API_KEY") or os.environ.get("GOOGLE_API_KEY") or "none"
        self._client = genai.Client(api_key=key, http_options=options)
        self._config = types.GenerateContentConfig(system_instruction=INSTRUCTIONS)
        self._error = errors.APIError

    def ask(self, name: str, messages: Messages) -> str:
        try:
            answer = self._client.models.generate_content(model=name, contents=self._contents(messages), config=self._config)
        except self._error as error:
            raise ModelError(type(error).__name__) from error
        return answer.text or ""

    def stream(self, name: str, messages: Messages) -> Pieces:
        contents = self._contents(messages)
        chunks = self._client.models.generate_content_stream(model=name, contents=contents, config=self._config)
        try:
            first = next(chunks, None)  # this client asks the model when the first chunk is wanted
        except self._error as error:
            raise ModelError(type(error).__name__) from error
        return self._pieces(first, chunks)

    @staticmethod
    def _contents(messages: Messages) -> list[dict[str, Any]]:
        roles = {"user": "user", "assistant": "model"}
        return [{"role": roles[message["role"]], "parts": [{"text": message["content"]}]} for message in messages]

    @staticmethod
    def _pieces(first: Any, chunks: Any) -> Pieces:
        with closing(chunks):
            if first is not None and first.text:
                yield first.text
            for chunk in chunks:
                if chunk.text:
                    yield chunk.text


class HttpModel:
    """By plain HTTP, as small bots do it."""

    default = OpenAIModel.default

    def __init__(self, timeout: float, retries: int) -> None:
        import httpx

        self._client = httpx.Client(
            base_url=os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1",
            headers={"Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY') or 'none'}"},
            timeout=timeout,
            transport=httpx.HTTPTransport(retries=retries),
        )
        self._error = httpx.HTTPError

    def ask(self, name: str, messages: Messages) -> str:
        try:
            answer = self._client.post("chat/completions", json={"model": name, "messages": with_instructions(messages)})
            answer.raise_for_status()
        except self._error as error:
            raise ModelError(type(error).__name__) from error
        return answer.json()["choices"][0]["message"]["content"]

    def stream(self, name: str, messages: Messages) -> Pieces:
        body = {
            "model": name,
            "messages": with_instructions(messages),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        try:
            answer = self._client.send(self._client.build_request("POST", "chat/completions", json=body), stream=True)
            if answer.is_error:
                answer.read()
                answer.raise_for_status()
        except self._error as error:
            raise ModelError(type(error).__name__) from error
        return self._pieces(answer)

    @staticmethod
    def _pieces(answer: Any) -> Pieces:
        with closing(answer):
            for line in answer.iter_lines():
                event = line.removeprefix("data: ")
                if event == line or event == "[DONE]":
                    continue
                choices = json.loads(event)["choices"]
                if choices and choices[0]["delta"].get("content"):
                    yield choices[0]["delta"]["content"]


CLIENTS: dict[str, type[OpenAIModel | AnthropicModel | GeminiModel | HttpModel]] = {
    "openai": OpenAIModel,
    "anthropic": AnthropicModel,
    "google-genai": GeminiModel,
    "httpx": HttpModel,
}


def with_instructions(messages: Messages) -> Any:
    """The messages as OpenAI's API takes them: the instructions are the first message."""
    return [{"role": "system", "content": INSTRUCTIONS}, *messages]
