"""Which conversations and messages a command of Redis has written: read from the command and its reply.

Fed by `redis.commands` with what succeeded; feeds the three counters of business events, through `redis.histories`, which
knows what was there before. The rules are in the documentation under "What counts".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ..chats.counts import NOTHING, Counts
from ..chats.growth import Array
from ..common import other_keys
from ..common.redis_addresses import Address
from . import keys, memory, options
from .histories import History
from .memory import KnownList
from .values import arrays_of, may_chat, parsed


def written(address: Address, name: str, arguments: Sequence[Any], reply: Any) -> Counts:
    """What a successful command of `WRITES` counts for."""
    return WRITES[name](address, arguments, reply) if arguments and other_keys.may_be_chat(arguments[0]) else NOTHING


def _push(address: Address, arguments: Sequence[Any], reply: Any) -> Counts:
    items = arguments[1:]
    if type(reply) is not int or reply < 1 or not any(map(may_chat, items)):
        return NOTHING
    return History(address, arguments[0]).pushed(items, reply)


def _insert(address: Address, arguments: Sequence[Any], reply: Any) -> Counts:
    if type(reply) is not int or reply < 1 or not may_chat(arguments[-1]):
        return NOTHING
    return History(address, arguments[0]).elements(arguments[-1:], began=False)


def _set(address: Address, arguments: Sequence[Any], reply: Any, value: int = 1) -> Counts:
    if not may_chat(arguments[value]):
        return NOTHING
    asked = options.of_set(arguments[2:]) if value == 1 else frozenset()
    if "GET" not in asked and not options.is_ok(reply):
        return NOTHING
    write, new = History(address, arguments[0]), parsed(arguments[value])
    before: dict[str, Array] | None
    if "NX" in asked:
        before = {}
    elif "GET" in asked:
        before = arrays_of(parsed(reply))
    else:
        before = write.memory.value((*write.place, ""))
    counts = write.whole("", new, before)
    if counts is not None:
        return counts
    # One message under a key may as well be a cached answer. So it counts only if it names its conversation.
    return write.document(new) if write.recogniser.names_conversation(new) is not None and not before else NOTHING


def _set_for(address: Address, arguments: Sequence[Any], reply: Any) -> Counts:
    return _set(address, arguments, reply, 2)


def _set_new(address: Address, arguments: Sequence[Any], reply: Any) -> Counts:
    return _set(address, [*arguments, "NX"], True if reply in (1, True) else None)


def _get_set(address: Address, arguments: Sequence[Any], reply: Any) -> Counts:
    return _set(address, [*arguments, "GET"], reply)


def _hash(address: Address, arguments: Sequence[Any], reply: Any) -> Counts:
    fields = {keys.text_of(name): value for name, value in zip(arguments[1::2], arguments[2::2], strict=False)}
    if not fields or not (type(reply) is int or options.is_ok(reply)):
        return NOTHING
    new = type(reply) is int and reply == len(fields)
    values = {name: parsed(value) for name, value in fields.items() if may_chat(value)}
    if not values and (len(fields) < 2 or not new):
        return NOTHING
    write = History(address, arguments[0])
    counts = NOTHING
    for name, value in values.items():
        place = (*write.place, name)
        told = write.whole(name, value, {} if new else write.memory.value(place))
        if told is None and new:
            told = write.document(value, began=write.empty())
        counts = counts.plus(told or NOTHING)
    if counts is NOTHING and new and len(fields) > 1:
        return write.document({name: _text(value) for name, value in fields.items()})
    return counts


def _stream(address: Address, arguments: Sequence[Any], reply: Any) -> Counts:
    pairs = options.of_stream(arguments)
    if not isinstance(reply, (str, bytes)) or "-" not in keys.text_of(reply) or not pairs:
        return NOTHING
    write = History(address, arguments[0])
    return write.elements([{keys.text_of(name): _text(value) for name, value in pairs}], began=write.empty())


def _sorted(address: Address, arguments: Sequence[Any], reply: Any) -> Counts:
    members = options.of_sorted(arguments)
    if type(reply) is not int or reply != len(members) or not any(map(may_chat, members)):
        return NOTHING  # if only some members are new, the reply does not say which
    write = History(address, arguments[0])
    return write.elements(members, began=write.empty())


def _json_set(address: Address, arguments: Sequence[Any], reply: Any) -> Counts:
    if len(arguments) < 3 or not options.is_ok(reply):
        return NOTHING
    write, path, new = History(address, arguments[0]), options.json_path(arguments[1]), parsed(arguments[2])
    made = "NX" in options.of_set(arguments[3:])
    before = {} if made else write.memory.value((*write.place, path))
    counts = write.whole(path, new, before)
    if counts is not None:
        return counts
    return write.document(new) if not path and not before and isinstance(new, Mapping) else NOTHING


def _json_append(address: Address, arguments: Sequence[Any], reply: Any) -> Counts:
    length = reply[0] if isinstance(reply, list) and reply else reply
    if type(length) is not int:
        return NOTHING
    write, items = History(address, arguments[0]), arguments[2:]
    return write.elements(items, began=length == len(items)) if items else NOTHING


def _delete(address: Address, arguments: Sequence[Any], reply: Any) -> Counts:
    remembered = memory.current()
    for key in arguments:
        place = (address, keys.text_of(key))
        known = remembered.listed(place)
        if reply == 0:
            if known is None:
                remembered.keep_list(place, KnownList())
            if remembered.value((*place, "")) is None:
                remembered.keep_value((*place, ""), {})
        elif known is None:
            remembered.keep_list(place, KnownList()).lost = True
        else:
            known.clear()
    return NOTHING


WRITES: Final[dict[str, Callable[[Address, Sequence[Any], Any], Counts]]] = {
    "LPUSH": _push,
    "RPUSH": _push,
    "LPUSHX": _push,
    "RPUSHX": _push,
    "LINSERT": _insert,
    "SET": _set,
    "SETEX": _set_for,
    "PSETEX": _set_for,
    "SETNX": _set_new,
    "GETSET": _get_set,
    "HSET": _hash,
    "HMSET": _hash,
    "HSETNX": _hash,
    "XADD": _stream,
    "ZADD": _sorted,
    "JSON.SET": _json_set,
    "JSON.ARRAPPEND": _json_append,
    "DEL": _delete,
    "UNLINK": _delete,
}
"""Commands that may write or delete a chat, and the function that reads each."""


def _text(value: Any) -> Any:
    return value if isinstance(value, (bool, int, float)) else keys.text_of(value)
