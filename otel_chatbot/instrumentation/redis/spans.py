"""What the span of a Redis operation says: the commands' names, how many arguments they have, and where they went.

Fed by `redis.commands`; feeds `common.client_spans`. The names are those of OpenTelemetry's instrumentation of Redis, the
attributes are those of the stable conventions for Redis. Keys, values and documents are never on a span. The other
instrumentation does take them in from a search, and if a whole command is given as one text.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any, Final

from opentelemetry.trace import Span

from ...semconv import attributes as a
from ..common.client_spans import ClientSpans
from ..common.redis_addresses import Address

SPANS: Final = ClientSpans("opentelemetry.instrumentation.redis", "RedisInstrumentor")
OTHER: Final = "_OTHER"
"""The name of a command that has none."""

_NAME: Final = re.compile(r"[A-Z][A-Z0-9._-]{0,63}\Z")
_LONGEST: Final = 1000
"""The most characters of a name or text; OpenTelemetry's instrumentation has the same limit for a command."""
_PIPELINE: Final = "redis"
_SHOWN: Final = {"FT.SEARCH": "redis.search", "FT.CREATE": "redis.create_index"}
_WITH_SUBCOMMANDS: Final = frozenset({
    "ACL", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "DEBUG", "FUNCTION", "LATENCY", "MEMORY", "MODULE", "OBJECT", "PUBSUB",
    "SCRIPT", "SENTINEL", "SLOWLOG", "XGROUP", "XINFO",
})  # fmt: skip
"""Commands whose second word is a part of the name; redis-py gives both as one argument."""


def operation_name(command: Sequence[Any]) -> str:
    """A command's name in upper case: the first word of its first argument, which may hold the whole command."""
    return _name(command[0]) if command and isinstance(command[0], (str, bytes)) else OTHER


def begin_command(name: str, command: Sequence[Any], address: Address) -> Span | None:
    """Begin the span of one command with this operation name; None where there is to be none."""
    prepared = SPANS.prepare()
    if prepared is None:
        return None
    shown, text, bare = _command(command)
    attributes = {a.DB_OPERATION: name, a.REDIS_ARGUMENTS: len(command), **connection_attributes(address)}
    if not bare:
        attributes[a.DB_QUERY_TEXT] = text
    return SPANS.start(_SHOWN.get(shown, shown), attributes, prepared)


def begin_pipeline(name: str, commands: Sequence[Sequence[Any]], address: Address) -> Span | None:
    """Begin the span of a pipeline (`name`: MULTI or PIPELINE); None where there is to be none.

    If all commands have the same name, it follows the operation's name (conventions for Redis).
    """
    prepared = SPANS.prepare()
    if prepared is None:
        return None
    told = [_command(command) for command in commands]
    same = {operation_name(command) for command in commands}
    attributes = {
        a.DB_OPERATION: f"{name} {same.pop()}" if len(same) == 1 else name,
        a.REDIS_PIPELINE_LENGTH: len(commands),
        **connection_attributes(address),
    }
    if len(commands) > 1:
        attributes[a.DB_BATCH_SIZE] = len(commands)
    if not all(bare for _, _, bare in told):
        attributes[a.DB_QUERY_TEXT] = "\n".join(text for _, text, _ in told)
    return SPANS.start(_shortened(" ".join(shown for shown, _, _ in told)) or _PIPELINE, attributes, prepared)


def _command(command: Sequence[Any]) -> tuple[str, str, bool]:
    """A command's name, its text with a `?` per argument, and whether the text is only the name."""
    first = command[0] if command else OTHER
    return _told(first if isinstance(first, (str, bytes)) else OTHER, min(len(command) - 1, _LONGEST))


@functools.lru_cache(maxsize=1024)
def _told(first: str | bytes, arguments: int) -> tuple[str, str, bool]:
    name = _text(first)
    words = name.split()
    if len(words) > 1 and _name(first) not in _WITH_SUBCOMMANDS:
        name, arguments = _name(first), arguments + len(words) - 1
    return name, _shortened(name + " ?" * arguments), arguments < 1


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
def connection_attributes(address: Address) -> dict[str, str | int]:
    """Where a command goes, as attributes of its span."""
    host, port, db = address
    found: dict[str, str | int] = {a.DB_SYSTEM: a.DbSystem.REDIS.value}
    if db is not None:
        found[a.DB_NAMESPACE] = db
    if host is not None:
        found |= {a.SERVER_ADDRESS: host, a.TRANSPORT: "unix" if port is None else "tcp"}
    if port is not None:
        found[a.SERVER_PORT] = port
    return found
