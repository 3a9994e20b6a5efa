"""How the arguments and replies of some commands of Redis are read.

Fed by `redis.writes` with commands as the application sent them; arguments may be texts, bytes and numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from .keys import text_of

_LONGEST: Final = 16
"""The most characters of an option."""
_CAPPED: Final = frozenset({"MAXLEN", "MINID"})
_FLAGS: Final = frozenset({"NX", "XX", "GT", "LT", "CH"})
_OK: Final = ("OK", b"OK")


def is_ok(reply: Any) -> bool:
    """Whether a reply says that a value was set, as redis-py gives it or as the server does."""
    return reply is True or reply in _OK


def of_set(arguments: Sequence[Any]) -> frozenset[str]:
    """The options of SET that follow its value."""
    return frozenset(word for argument in arguments if (word := _word(argument)))


def of_stream(arguments: Sequence[Any]) -> list[tuple[Any, Any]]:
    """The fields of XADD's entry, which follow its options and its id."""
    place, last = 1, len(arguments)
    while place < last:
        word = _word(arguments[place])
        if word in _CAPPED:
            place += 3 if _word(arguments[place + 1]) in {"~", "="} else 2
        elif word == "LIMIT":
            place += 2
        elif word in {"NOMKSTREAM", "KEEPREF", "DELREF", "ACKED"}:
            place += 1
        else:
            break
    return list(zip(arguments[place + 1 :: 2], arguments[place + 2 :: 2], strict=False))


def of_sorted(arguments: Sequence[Any]) -> list[Any]:
    """The members of ZADD, which follow its options and their scores. None with INCR, which only raises a score."""
    place = 1
    while place < len(arguments) and _word(arguments[place]) in _FLAGS:
        place += 1
    return [] if "INCR" in of_set(arguments[1 : place + 1]) else list(arguments[place + 1 :: 2])


def json_path(path: Any) -> str:
    """The field at a path of a JSON document; the empty name for the whole of it."""
    return text_of(path).lstrip("$").lstrip(".")


def _word(argument: Any) -> str:
    if not isinstance(argument, (str, bytes)) or len(argument) > _LONGEST:
        return ""
    return text_of(argument).upper()
