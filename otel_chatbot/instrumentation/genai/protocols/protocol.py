"""What a protocol is: how its requests are recognised, and how they, their answers and their chunks are read.

Each file beside this one holds such rows; `genai.recognise` collects them, `genai.wire_call` uses them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ....semconv import attributes as a
from ....semconv.attributes import GenAiOperation, GenAiProvider
from ..framing import Framing
from .answer import Answer

Body = Mapping[str, Any]


@dataclass
class ModelRequest:
    """What a request asks of a model. `attributes`: of the span; `said`: what the model is asked, as the request has it."""

    model: str
    streamed: bool = False
    operation: GenAiOperation = GenAiOperation.CHAT
    attributes: dict[str, Any] = field(default_factory=dict)
    said: Any = None
    body: Body = field(default_factory=dict)
    """The whole request, where content is captured."""


@dataclass(frozen=True)
class Protocol:
    """One wire. A request is one of it if its path fits and its body has all the keys."""

    name: str
    provider: GenAiProvider
    """The provider where the host says none."""
    tails: tuple[str, ...]
    """The last part of its paths, without what stands before a colon: found by one look into a table."""
    path: re.Pattern[str]
    """How the whole path ends."""
    keys: tuple[str, ...]
    request: Callable[[Body, str], ModelRequest]
    """Reads a request's body; the second argument is its path, without escapes."""
    answer: Callable[[dict[str, Any], Answer], None]
    """Reads a whole answer."""
    chunk: Callable[[str, dict[str, Any], Answer], None]
    """Reads an event of a stream; the first argument is its name, where the framing has names."""
    framing: Framing = Framing.SSE
    """Of streams whose content type does not say it."""
    token_headers: tuple[str, str] | None = None
    """Headers of an answer that tell the tokens of input and output where its body does not."""


NUMBERS: Final = {
    "temperature": a.GEN_AI_TEMPERATURE,
    "top_p": a.GEN_AI_TOP_P,
    "top_k": a.GEN_AI_TOP_K,
    "max_tokens": a.GEN_AI_MAX_TOKENS,
    "frequency_penalty": a.GEN_AI_FREQUENCY_PENALTY,
    "presence_penalty": a.GEN_AI_PRESENCE_PENALTY,
    "seed": a.GEN_AI_SEED,
}
"""Parameters that most wires call by these names, and their attributes."""


def numbers(body: Body, names: Mapping[str, str], into: dict[str, Any]) -> None:
    """Put parameters that are numbers under their attributes; a later name goes before an earlier one."""
    if names.keys().isdisjoint(body):
        return
    for name, attribute in names.items():
        value = body.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            into[attribute] = value


def stops(value: Any, into: dict[str, Any]) -> None:
    """Put stop sequences under their attribute."""
    if isinstance(value, str):
        value = [value]
    if isinstance(value, list) and value:
        into[a.GEN_AI_STOP_SEQUENCES] = tuple(item for item in value if isinstance(item, str))


def model_of(value: Any) -> str:
    """The model's name as the request has it."""
    return value if isinstance(value, str) else ""


def model_in(path: str, pattern: re.Pattern[str]) -> str:
    """The model's name as the path has it."""
    found = pattern.search(path)
    return found[1] if found else ""


def asks_of_a_user(said: Any) -> bool:
    """Whether what a model is asked ends with a user's words; what tools have found continues a turn, in any wire's words."""
    last = said[-1] if isinstance(said, list) and said else said
    if not isinstance(last, dict):
        return bool(last)
    parts = last.get("content") or last.get("parts")
    found = any(isinstance(part, dict) and _FOUND & part.keys() for part in parts) if isinstance(parts, list) else False
    return last.get("role", "user") in _USERS and last.get("type") not in _RESULTS and not found


_USERS: Final = ("user", "USER", "human")
_FOUND: Final = frozenset({"tool_use_id", "toolResult", "functionResponse", "function_response"})
_RESULTS: Final = ("function_call_output", "custom_tool_call_output", "tool_result")


def characters(said: Any, depth: int = 8) -> int:
    """The characters of what a model is asked: a text, messages, or parts of them, in any wire's words."""
    if isinstance(said, str):
        return len(said)
    if depth and isinstance(said, list):
        return sum(characters(item, depth - 1) for item in said)
    if depth and isinstance(said, dict):
        return sum(characters(said.get(name), depth - 1) for name in ("content", "text", "parts", "contents") if name in said)
    return 0
