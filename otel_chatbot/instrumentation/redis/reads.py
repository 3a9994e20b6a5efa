"""Cache hits and misses of Redis's commands, and the chats that they show. Chats are no cache.

Fed by `redis.commands` with what succeeded; feeds the two counters of cache reads and, for later writes, `redis.memory`.
If a read finds nothing under a key that may hold a chat, it is counted at the request's end: it is no miss if a chat is
written there until then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from ...metrics.record import AutomaticCounter, keep
from ...semconv import attributes as a
from ...semconv import metrics as m
from ..chats import shapes
from ..chats.shapes import Place
from ..common import other_keys
from ..common.redis_addresses import Address
from . import keys, memory, options
from .histories import NAMES, History
from .memory import KnownList
from .values import STARTS, may_chat, parsed

READS: Final = frozenset({"GET", "GETEX", "GETDEL", "HGET", "HGETALL", "MGET", "HMGET"})
"""Commands whose keys are hits or misses."""
SHOWS: Final = frozenset({
    "LRANGE", "LLEN", "EXISTS", "XRANGE", "XREVRANGE", "XLEN", "ZRANGE", "ZREVRANGE", "ZCARD", "HLEN", "JSON.GET",
})  # fmt: skip
"""Commands that show the content of a key, or that the key is empty."""
_MOST: Final = 16
"""A command for more keys than this reads a cache: its values are not looked at for chats."""
_REDIS: Final = a.DbSystem.REDIS.value


class _Reads(NamedTuple):
    """The series in which the keys that operations read are counted."""

    hits: AutomaticCounter
    misses: AutomaticCounter


_reads: Final[dict[str, _Reads]] = {}


def count(hits: int, misses: int) -> None:
    """Count hits and misses."""
    figures = _reads[_REDIS] if _REDIS in _reads else _reads_of_keys()
    if hits:
        figures.hits.add(hits)
    if misses:
        figures.misses.add(misses)


def _reads_of_keys() -> _Reads:
    system = {a.DB_SYSTEM: _REDIS}
    return keep(_reads, _REDIS, _Reads(AutomaticCounter(m.CACHE_HITS, system), AutomaticCounter(m.CACHE_MISSES, system)))


def _missed(number: int) -> None:
    count(0, number)


def reads(address: Address, name: str, arguments: Sequence[Any], reply: Any) -> tuple[int, int]:
    """Hits and misses of a command: one for each key (or field, HMGET) that it asked for."""
    if not arguments:
        return 0, 0
    if name == "GET":
        told = _one(address, arguments[0], "", reply)
        return int(told > 0), int(told < 0)
    if name == "MGET" and len(arguments) > _MOST:
        there = [value is not None for key, value in zip(arguments, reply or (), strict=False) if other_keys.is_cache(key)]
        return there.count(True), there.count(False)
    if name == "MGET":
        found = [_one(address, key, "", value) for key, value in zip(arguments, reply or (), strict=False)]
    elif name == "HMGET":
        found = [_one(address, arguments[0], field, value) for field, value in zip(arguments[1:], reply or (), strict=False)]
    elif name == "HGETALL":
        found = [_all(address, arguments[0], reply)]
    else:
        found = [_one(address, arguments[0], arguments[1] if name == "HGET" and len(arguments) > 1 else "", reply)]
    return found.count(1), found.count(-1)


def shows(address: Address, name: str, arguments: Sequence[Any], reply: Any) -> None:
    """Remember what a command has shown."""
    if not arguments:
        return
    if name == "JSON.GET":
        path = keys.text_of(arguments[1]) if len(arguments) > 1 else ""
        if path.startswith("$"):  # the reply is a list of matches, in most cases of one
            reply = (reply[0] if reply else None) if isinstance(reply, list) else reply and reply[1:-1]
        found = parsed(reply)
        History(address, arguments[0]).shows(options.json_path(path), found)
    elif not reply:
        for key in arguments if name == "EXISTS" else arguments[:1]:
            remembered, place = memory.current(), (address, keys.text_of(key))
            if remembered.unknown(place) and _from_the_start(name, arguments):
                remembered.keep_list(place, KnownList())
    elif name == "LRANGE" and isinstance(reply, list) and list(map(keys.text_of, arguments[1:3])) == ["0", "-1"]:
        remembered, place = memory.current(), (address, keys.text_of(arguments[0]))
        if remembered.unknown(place):
            remembered.keep_list(place, KnownList(reply))


def _from_the_start(name: str, arguments: Sequence[Any]) -> bool:
    """Whether an empty reply means that the key is empty. A command for a part of a list does not tell."""
    if name in {"LRANGE", "ZRANGE", "ZREVRANGE"}:
        return len(arguments) == 3 and keys.text_of(arguments[1])[:1] in "0-"
    return len(arguments) <= 3 or name in {"EXISTS", "XRANGE", "XREVRANGE"}


def _one(address: Address, key: Any, field: Any, value: Any) -> int:
    """1 for a hit, -1 for a miss, 0 if the key is no cache."""
    cache = other_keys.is_cache(key)
    if value is None:
        return _none(address, key, keys.text_of(field), cache=cache)
    if value[:1] in STARTS and other_keys.may_be_chat(key) and History(address, key).shows(keys.text_of(field), parsed(value)):
        return 0
    return 1 if cache else 0


def _all(address: Address, key: Any, reply: Any) -> int:
    cache = other_keys.is_cache(key)
    if not reply:
        memory.current().keep_list((address, keys.text_of(key)), KnownList())
        return _none(address, key, "", cache=cache)
    if isinstance(reply, Mapping):
        chats = [name for name, value in reply.items() if may_chat(value)]
        if chats and other_keys.may_be_chat(key):
            history = History(address, key)
            shown = [history.shows(keys.text_of(name), parsed(reply[name])) for name in chats]  # each is remembered
            if any(shown):
                return 0
    return 0 if not cache or (NAMES and keys.read(key).name in NAMES) else 1


def _none(address: Address, key: Any, field: str, *, cache: bool) -> int:
    if not other_keys.may_be_chat(key):
        return 0
    remembered, place = memory.current(), (address, keys.text_of(key))
    remembered.keep_value((*place, field), {})
    if not cache:
        return 0
    told = keys.read(key)
    if told.name in NAMES:
        return 0
    if told.varies and memory.can_wait() and shapes.place(told.name) in (Place.CHAT, Place.OPEN):
        remembered.wait(place, _missed)
        return 0
    return -1
