"""Which keys of a server hold chats and so are no cache: told by the type of the value, and by names seen with chats.

Fed by `common.seen` with the names that any process of the run has found; asked by `common.cache_size`, which walks through all
keys. A cache is read by GET and HGET. So a list or a stream is no cache, unless its name speaks of other things than chats.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ...metrics.shared.facts import FACTS
from ..chats import shapes
from ..chats.shapes import Place
from ..common import seen
from . import keys

_BY_TYPE: Final = {
    "list": (Place.CHAT, Place.OPEN),
    "stream": (Place.CHAT, Place.OPEN),
    "zset": (Place.CHAT,),
}
"""A value of this type is a history if the place that the key's name tells is one of these."""
TYPES: Final = tuple(_BY_TYPE)
"""The server's types of histories."""


def of_type(kind: str, key: Any) -> bool:
    """Whether a key with a value of this type holds a chat."""
    return shapes.place(keys.read(key).name) in _BY_TYPE[kind]


def named() -> Callable[[Any], bool]:
    """A function that tells whether chats were seen under a key's name or form. It uses what the run knows now."""
    names = frozenset(fact[0] for fact in FACTS.of(seen.HISTORY))
    words = tuple({name.partition(" ")[0] for name in names if name[0] != "="})
    forms = any(name[0] == "=" for name in names)

    def is_named(key: Any) -> bool:
        text = keys.text_of(key)
        if any(word in text for word in words):
            return keys.read(text).name in names
        return forms and keys.form(text) in names and not keys.read(text).name

    return is_named
