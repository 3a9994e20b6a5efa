"""Answers of models as a protocol reads them, in the few words in which the tests of protocols say what they expect."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from otel_chatbot.instrumentation.genai.protocols.answer import Answer
from otel_chatbot.instrumentation.genai.protocols.protocol import Protocol

WRONG = (None, True, -1, 1.5, "x", [], ["x"], {}, {"x": 1})
"""One value of each kind of JSON, to stand where a protocol expects another kind."""


def row(rows: tuple[Protocol, ...], name: str) -> Protocol:
    """The protocol of this name."""
    return next(protocol for protocol in rows if protocol.name == name)


def whole(protocol: Protocol, found: dict[str, Any]) -> Answer:
    """An answer that came at once."""
    answer = Answer(keeps=True)
    protocol.answer(found, answer)
    return answer


def streamed(protocol: Protocol, *events: dict[str, Any] | tuple[str, dict[str, Any]]) -> Answer:
    """An answer that came as these events; where the framing has names, an event is its name and its data."""
    answer = Answer(keeps=True)
    for event in events:
        name, found = event if isinstance(event, tuple) else ("", event)
        protocol.chunk(name, found, answer)
    return answer


def said(answer: Answer, kind: str = "text", index: int = 0) -> str:
    """The text, or the reasoning, of a choice."""
    return "".join(answer.parts.get((index, kind), ()))


def tools(answer: Answer) -> list[tuple[str | None, str | None, str]]:
    """Name, id and arguments of each tool call."""
    return [(tool.name, tool.call_id, "".join(tool.arguments)) for tool in answer.tools.values()]


def tokens(answer: Answer) -> tuple[int, int, int, int] | None:
    """Tokens of the input, of the output, and those of the input that were read from a cache and written to it."""
    used = answer.usage
    return None if used is None else (used.input, used.output, used.cached, used.written)


def spoilt(value: Any) -> Iterator[Any]:
    """The value with one of its parts replaced by something of another kind, for each part and each kind."""
    yield from WRONG
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        for other in spoilt(value[key]):
            copy = deepcopy(value)
            copy[key] = other
            yield copy


def takes_any(protocol: Protocol, *events: dict[str, Any] | tuple[str, dict[str, Any]], once: bool = False) -> int:
    """Read each event with each of its parts spoilt, and go on with the next: nothing is raised. How many were read."""
    count = 0
    pairs = [event if isinstance(event, tuple) else ("", event) for event in events]
    for at, (name, found) in enumerate(pairs):
        for other in spoilt(found):
            if isinstance(other, dict):
                answer = Answer(keeps=True)
                for earlier, data in pairs[:at]:
                    protocol.chunk(earlier, data, answer)
                protocol.answer(other, answer) if once else protocol.chunk(name, other, answer)
                assert answer.written >= 0
                assert answer.usage is None or min(tokens(answer) or ()) >= 0
                count += 1
    return count
