"""What the span of a Redis operation says: the commands' names, how many arguments they have, and where they went.

Fed by `redis.commands`; feeds `common.client_spans`. Names and attributes are those of OpenTelemetry's instrumentation of Redis,
without keys, values and documents, which it takes in where a whole command is given as one text, and from a search.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any, Final

from opentelemetry.trace import Span

from ...semconv import attributes as a
from ..common.client_spans import ClientSpans

SPANS: Final = ClientSpans("opentelemetry.instrumentation.redis", "RedisInstrumentor")
OTHER: Final = "_OTHER"
"""The name of a command that has none."""

_NAME: Final = re.compile(r"[A-Z][A-Z0-9._-]{0,63}\Z")
_LONGEST: Final = 1000
"""Characters of a name or text, as upstream has it for a command."""
_PIPELINE: Final = "redis"
_SHOWN: Final = {"FT.SEARCH": "redis.search", "FT.CREATE": "redis.create_index"}
_WITH_SUBCOMMANDS: Final = frozenset({
    "ACL", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "DEBUG", "FUNCTION", "LATENCY", "MEMORY", "MODULE", "OBJECT", "PUBSUB",
    "SCRIPT", "SENTINEL", "SLOWLOG", "XGROUP", "XINFO",
})  # fmt: skip
"""Commands whose second word is a part of the name; redis-py gives both as one argument."""

Address = tuple[str | None, int | None, str | None]
"""Host or path, port (None with a path), and database index."""


def operation_name(command: Sequence[Any]) -> str:
    """A command's name, in upper case: the first word of its first argument, which may hold the others too."""
    return _name(command[0]) if command and isinstance(command[0], (str, bytes)) else OTHER


def begin_command(command: Sequence[Any], address: Address | None) -> Span | None:
    """Begin the span of one command; None where there is to be none."""
    name, text = _command(command)
    attributes = {a.DB_QUERY_TEXT: text, a.REDIS_ARGUMENTS: len(command), **_connection(address)}
    return SPANS.start(_SHOWN.get(name, name), attributes)


def begin_pipeline(commands: Sequence[Sequence[Any]], address: Address | None) -> Span | None:
    """Begin the span of a pipeline; None where there is to be none."""
    told = [_command(command) for command in commands]
    attributes = {
        a.DB_QUERY_TEXT: "\n".join(text for _, text in told),
        a.REDIS_PIPELINE_LENGTH: len(commands),
        **_connection(address),
    }
    return SPANS.start(_shortened(" ".join(name for name, _ in told)) or _PIPELINE, attributes)


def _command(command: Sequence[Any]) -> tuple[str, str]:
    """How a command is named, and its text with a mark for each argument."""
    first = command[0] if command else OTHER
    return _told(first if isinstance(first, (str, bytes)) else OTHER, min(len(command) - 1, _LONGEST))


@functools.lru_cache(maxsize=1024)
def _told(first: str | bytes, arguments: int) -> tuple[str, str]:
    name = _text(first)
    words = name.split()
    if len(words) > 1 and _name(first) not in _WITH_SUBCOMMANDS:
        name, arguments = _name(first), arguments + len(words) - 1
    return name, _shortened(name + " ?" * arguments)


@functools.lru_cache(maxsize=512)
def _name(first: str | bytes) -> str:
    words = _text(first).split(None, 1)
    name = words[0].upper() if words else ""
    return name if _NAME.match(name) else OTHER


def _text(word: str | bytes) -> str:
    return word.decode("utf-8", "replace") if isinstance(word, bytes) else word


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


@functools.lru_cache(maxsize=256)
def _connection(address: Address | None) -> dict[str, str | int]:
    found: dict[str, str | int] = {a.DB_SYSTEM: a.DbSystem.REDIS.value}
    if address is not None:
        host, port, _ = address
        found |= {a.SERVER_ADDRESS: host} if host else {}
        found |= {a.TRANSPORT: "unix"} if port is None else {a.SERVER_PORT: port, a.TRANSPORT: "tcp"}
    return found
