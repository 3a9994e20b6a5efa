"""The protocols of three model APIs: their requests, and their answers, whole or streamed.

    OpenAI     POST /v1/chat/completions
    Anthropic  POST /v1/messages
    Gemini     POST /v1beta/models/MODEL:generateContent, and :streamGenerateContent

A request's path and body go in, and the same kind of question comes out for all APIs; `planning` decides on the answer.
"""

import json
import re
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Frame = tuple[str, Any]
"""An event of a stream: its name (empty if it has none), and its data."""


@dataclass(frozen=True)
class Asked:
    """A client's question in OpenAI's terms: messages with `role` and `content`."""

    model: str
    messages: list[dict[str, Any]]
    streamed: bool
    wants_usage: bool = True
    has_options: bool = False


class Wire:
    """One question and its answer in the protocol of one API. Call `read` first."""

    asked: Asked

    def __init__(self) -> None:
        self.id = uuid.uuid4().hex
        self.created = int(time.time())
        self.prompt_tokens = 0
        self.completion_tokens = 0
        """The tokens that were sent so far."""

    def read(self, path: str, body: dict[str, Any]) -> Asked:
        """The client's question. KeyError, TypeError and the like if the body is no question."""
        self.asked = self._asked(path, body)
        return self.asked


class OpenAI(Wire):
    """OpenAI's chat completions. A stream names its tokens at the end, and only if the client asks for it."""

    def _asked(self, _path: str, body: dict[str, Any]) -> Asked:
        options = body.get("stream_options")
        wants = bool(options and options.get("include_usage"))
        return Asked(str(body["model"]), body["messages"], bool(body.get("stream")), wants, options is not None)

    def whole(self, text: str) -> dict[str, Any]:
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        return self._envelope("chat.completion") | {"choices": [choice], "usage": self._usage()}

    def opening(self) -> Iterator[Frame]:
        yield self._chunk({"role": "assistant", "content": ""})

    def piece(self, token: str) -> Frame:
        return self._chunk({"content": token})

    def closing(self) -> Iterator[Frame]:
        yield self._chunk({}, "stop")
        if self.asked.wants_usage:
            yield "", self._envelope("chat.completion.chunk") | {"choices": [], "usage": self._usage()}
        yield "", "[DONE]"

    def refusal(self, _status: int, message: str) -> dict[str, Any]:
        return {"error": {"message": message, "type": "local", "param": None, "code": None}}

    def _chunk(self, delta: dict[str, str], finish_reason: str | None = None) -> Frame:
        frame = self._envelope("chat.completion.chunk") | ({"usage": None} if self.asked.wants_usage else {})
        return "", frame | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}

    def _envelope(self, kind: str) -> dict[str, Any]:
        return {"id": f"chatcmpl-{self.id}", "object": kind, "created": self.created, "model": self.asked.model}

    def _usage(self) -> dict[str, int]:
        total = self.prompt_tokens + self.completion_tokens
        return {"prompt_tokens": self.prompt_tokens, "completion_tokens": self.completion_tokens, "total_tokens": total}


class Anthropic(Wire):
    """Anthropic's messages. A stream names the tokens of the question at its start and those of the answer at its end."""

    def _asked(self, _path: str, body: dict[str, Any]) -> Asked:
        system = [{"role": "system", "content": body["system"]}] if body.get("system") else []
        return Asked(str(body["model"]), [*system, *body["messages"]], bool(body.get("stream")))

    def whole(self, text: str) -> dict[str, Any]:
        return self._message([{"type": "text", "text": text}], "end_turn")

    def opening(self) -> Iterator[Frame]:
        yield self._event("message_start", message=self._message([], None))
        yield self._event("content_block_start", index=0, content_block={"type": "text", "text": ""})

    def piece(self, token: str) -> Frame:
        return self._event("content_block_delta", index=0, delta={"type": "text_delta", "text": token})

    def closing(self) -> Iterator[Frame]:
        yield self._event("content_block_stop", index=0)
        ended = {"stop_reason": "end_turn", "stop_sequence": None}
        yield self._event("message_delta", delta=ended, usage={"output_tokens": self.completion_tokens})
        yield self._event("message_stop")

    def refusal(self, _status: int, message: str) -> dict[str, Any]:
        return {"type": "error", "error": {"type": "api_error", "message": message}}

    def _message(self, content: list[Any], stop_reason: str | None) -> dict[str, Any]:
        usage = {"input_tokens": self.prompt_tokens, "output_tokens": self.completion_tokens}
        return {
            "id": f"msg_{self.id}", "type": "message", "role": "assistant", "model": self.asked.model, "content": content,
            "stop_reason": stop_reason, "stop_sequence": None, "usage": usage,
        }  # fmt: skip

    @staticmethod
    def _event(name: str, **data: Any) -> Frame:
        return name, {"type": name, **data}


class Gemini(Wire):
    """Gemini's generateContent: the path names the model and whether to stream."""

    PATH = re.compile(r"/v1(?:beta)?/models/([^:/]+):(generateContent|streamGenerateContent)(?:\?.*)?")

    def _asked(self, path: str, body: dict[str, Any]) -> Asked:
        matched = self.PATH.fullmatch(path)
        assert matched
        first = body.get("systemInstruction")
        contents = [*([{**first, "role": "system"}] if first else []), *body["contents"]]
        return Asked(matched[1], [self._as_message(content) for content in contents], matched[2].startswith("stream"))

    def whole(self, text: str) -> dict[str, Any]:
        return self._answer(text, "STOP")

    def opening(self) -> Iterator[Frame]:
        return iter(())

    def piece(self, token: str) -> Frame:
        return "", self._answer(token, None)

    def closing(self) -> Iterator[Frame]:
        yield "", self._answer("", "STOP")

    def refusal(self, status: int, message: str) -> dict[str, Any]:
        return {"error": {"code": status, "message": message, "status": "UNAVAILABLE"}}

    def _answer(self, text: str, finish_reason: str | None) -> dict[str, Any]:
        candidate: dict[str, Any] = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
        total = self.prompt_tokens + self.completion_tokens
        usage = {"promptTokenCount": self.prompt_tokens, "totalTokenCount": total}
        if finish_reason:
            candidate["finishReason"] = finish_reason
            usage["candidatesTokenCount"] = self.completion_tokens
        return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": self.asked.model, "responseId": self.id}

    @staticmethod
    def _as_message(content: dict[str, Any]) -> dict[str, Any]:
        text = " ".join(str(part.get("text", "")) for part in content["parts"])
        return {"role": {"model": "assistant"}.get(content.get("role", "user"), content.get("role", "user")), "content": text}


def wire_of(path: str) -> OpenAI | Anthropic | Gemini | None:
    """A new wire for the API that a path belongs to; None if it belongs to none."""
    if path == "/v1/chat/completions":
        return OpenAI()
    if path == "/v1/messages":
        return Anthropic()
    return Gemini() if Gemini.PATH.fullmatch(path) else None


def event(frame: Frame) -> bytes:
    """A frame as a server-sent event."""
    name, data = frame
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()
