"""What is known of a model's answer so far: filled by a protocol, chunk by chunk or at once; read by `genai.call`.

Whatever the answer's size, what is kept here is bounded: names and counts, and a limited text where content is captured.
"""

from __future__ import annotations

import zlib
from typing import Any, Final

import orjson

from ....semconv import attributes as a
from ..cost import Usage

MOST_TEXT: Final = 64 * 1024
"""Characters of content that are kept of one answer."""
MOST_PARTS: Final = 128
"""Tool calls, choices and finish reasons that are kept of one answer."""
MOST_NAME: Final = 256
"""Characters of a name, an id or a reason."""
_LARGEST: Final = 2**53


def dict_of(value: Any) -> dict[str, Any]:
    """The value, if it is an object of JSON; else an empty one."""
    return value if isinstance(value, dict) else {}


def list_of(value: Any) -> list[Any]:
    """The value, if it is an array of JSON; else an empty one."""
    return value if isinstance(value, list) else []


def dicts_of(value: Any) -> list[dict[str, Any]]:
    """The objects in the value, if it is an array of JSON."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def name_of(value: Any) -> str | None:
    """The value, if it is a text, cut to the length of a name."""
    return value[:MOST_NAME] if isinstance(value, str) and value else None


def count_of(value: Any) -> int | None:
    """The value, if it is a count of something."""
    if type(value) is int:  # as nearly always
        return value if 0 <= value < _LARGEST else None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < _LARGEST:
        return None
    return int(value)


class ToolCall:
    """A tool call that the model asks for."""

    __slots__ = ("arguments", "call_id", "checksum", "index", "name")

    def __init__(self, index: int) -> None:
        self.index = index
        self.name: str | None = None
        self.call_id: str | None = None
        self.arguments: list[str] = []
        self.checksum = 0
        """Of the arguments, which are not kept unless content is captured: the same however they arrive in pieces."""


class Answer:
    """What an answer has told so far. `keeps`: whether its text is kept."""

    __slots__ = (
        "attributes", "broken", "counts", "done", "failure", "finish", "id", "keeps", "model", "parts", "refused", "room", "said", "tools", "usage", "written",
    )  # fmt: skip

    def __init__(self, *, keeps: bool = False) -> None:
        self.model: str | None = None
        self.id: str | None = None
        self.usage: Usage | None = None
        self.finish: dict[int, str] = {}
        """Finish reasons by choice."""
        self.failure: str | None = None
        """A failure that the answer itself tells of, though its status is 200."""
        self.done = False
        """Whether the protocol's last event has come."""
        self.broken = False
        """Whether something in it could not be parsed."""
        self.written = 0
        """Characters of content since the last look: text, reasoning, arguments of tools."""
        self.said = False
        """Whether it has content, other than reasoning and calls of tools."""
        self.refused = False
        """Whether it says, in a field for that, that the model refuses."""
        self.attributes: dict[str, Any] = {}
        """Further attributes of the span."""
        self.counts: dict[str, int] = {}
        """Token counts by the wire's own names, for protocols that tell them piece by piece."""
        self.tools: dict[Any, ToolCall] = {}
        self.keeps = keeps
        self.parts: dict[tuple[int, str], list[str]] = {}
        """Kept text by choice and kind: `text` or `reasoning`."""
        self.room = MOST_TEXT

    def by(self, model: Any, answer_id: Any = None) -> None:
        """The answer says who made it."""
        if isinstance(model, str) and model:
            self.model = model[:MOST_NAME]
        if isinstance(answer_id, str) and answer_id:
            self.id = answer_id[:MOST_NAME]

    def text(self, text: Any, index: int = 0, kind: str = "text") -> None:
        """A piece of content."""
        if not isinstance(text, str) or not text:
            return
        self.written += len(text)
        if not self.said and kind == "text" and not text.isspace():
            self.said = True
        if self.keeps and self.room > 0:
            place = (index, kind)
            if place in self.parts or len(self.parts) < MOST_PARTS:
                self.parts.setdefault(place, []).append(text[: self.room])
                self.room -= len(text)

    def refuses(self, text: Any, index: int = 0) -> None:
        """A piece of the text with which the model refuses."""
        if isinstance(text, str) and text:
            self.refused = True
            self.text(text, index)

    def tool(self, key: Any, name: Any = None, call_id: Any = None, arguments: Any = None, index: int = 0) -> None:
        """A tool call, or a further piece of one; `key` tells it from the others of the answer."""
        if isinstance(name, str):
            self.written += len(name)
        if isinstance(arguments, str):
            self.written += len(arguments)
        found = self.tools.get(key)
        if found is None:
            if len(self.tools) >= MOST_PARTS:
                return
            found = self.tools[key] = ToolCall(index)
        found.name = name_of(name) or found.name
        found.call_id = name_of(call_id) or found.call_id
        if isinstance(arguments, dict):
            arguments = orjson.dumps(arguments).decode()
        if isinstance(arguments, str):
            found.checksum = zlib.crc32(arguments.encode("utf-8", "surrogatepass"), found.checksum)
        if self.keeps and isinstance(arguments, str) and self.room > 0:
            found.arguments.append(arguments[: self.room])
            self.room -= len(arguments)

    def finished(self, reason: Any, index: int = 0) -> None:
        """A choice has ended, and why."""
        if isinstance(reason, str) and reason and (index in self.finish or len(self.finish) < MOST_PARTS):
            self.finish[index] = reason[:MOST_NAME]

    def used(
        self,
        asked: Any,
        answered: Any = None,
        *,
        cached: Any = None,
        written: Any = None,
        reasoning: Any = None,
    ) -> None:
        """Tokens: of the input (all of it), of the output (all of it), and parts of them.

        `cached`: of the input, read from the provider's cache; `written`: put into it; `reasoning`: of the output.
        """
        whole = count_of(asked)
        if whole is None:
            return
        read = None if cached is None else count_of(cached)
        new = None if written is None else count_of(written)
        self.usage = Usage(whole, count_of(answered) or 0, read or 0, new or 0)
        if read is not None:
            self.attributes[a.GEN_AI_CACHE_READ_TOKENS] = read
        if new is not None:
            self.attributes[a.GEN_AI_CACHE_WRITE_TOKENS] = new
        if reasoning and (number := count_of(reasoning)):
            self.attributes[a.GEN_AI_REASONING_TOKENS] = number

    def failed(self, kind: Any) -> None:
        """The answer tells of a failure of this kind."""
        self.failure = name_of(kind if isinstance(kind, str) else str(kind) if isinstance(kind, int) else "") or "failed"
