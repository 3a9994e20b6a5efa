"""Reads a key of Redis: its words say what the value is, and the part that differs from key to key names the chat.

Fed by `redis.histories`; reads names by the table of `chats.shapes`. `user:42:chat:abc` is the chat `abc`; its name is `chat`.
"""

from __future__ import annotations

import functools
import re
from typing import Any, Final, NamedTuple

from ..chats import shapes

_LONGEST: Final = 256
_TOKEN: Final = re.compile(r"[^:/|#_\-]+|[:/|#_\-]+")
"""The parts of a key, and what stands between them."""
_PAUSES: Final = re.compile(r"[:/|#_\-\s]+")
_SOLID: Final = re.compile(r"[^\W_]+")
_LONGEST_WORD: Final = 20
_SAYING: Final = (
    shapes.CHAT_WORDS
    | shapes.PEOPLE_WORDS
    | shapes.OTHER_WORDS
    | shapes.HISTORY_WORDS
    | {"session", "hist", "store", "room", "list", "redis", "langchain", "llama", "recent", "id", "by", "for", "of"}
)
"""Words that are a part of a key's name, not of an id."""
_BEFORE_IDS: Final = shapes.CHAT_WORDS | shapes.HISTORY_WORDS | {"session", "hist", "store"}
"""Words behind which the id of a chat stands."""


class Key(NamedTuple):
    """A key, read."""

    text: str
    name: str
    """Its words, without ids and without the owner (`user:42`)."""
    chat: str
    """The id of the chat; the whole key where no part differs."""
    varies: bool
    """Whether a part of it is an id. A key that has only letters is a name."""


def read(key: Any) -> Key:
    """What a key says."""
    return _read((key if type(key) is str else text_of(key))[:_LONGEST])


@functools.lru_cache(maxsize=1024)
def _read(text: str) -> Key:
    words: list[str] = []
    runs: list[tuple[str, str]] = []
    """The parts that are no words, each with the word before it."""
    gap = run = ""
    for token in _TOKEN.findall(text):
        if token[0] in ":/|#_-":
            gap = token
        elif _is_word(token):
            _end(run, words, runs)
            run, gap = "", ""
            words.append(token)
        else:
            run = run + gap + token if run else token
    _end(run, words, runs)
    best = [part for part, before in runs if before in _BEFORE_IDS]
    chat = (best or [part for part, _ in runs] or [text])[-1]
    name = " ".join(word for word in words if word)
    return Key(text, name, chat, bool(runs) and bool(words or not _PAUSES.sub("", chat).isalpha()))


def text_of(value: Any) -> str:
    """A key, a field or a short value as text."""
    if type(value) is str:
        return value
    return bytes(value).decode("utf-8", "replace") if isinstance(value, (bytes, bytearray, memoryview)) else str(value)


@functools.lru_cache(maxsize=4096)
def form(text: str) -> str:
    """The pattern of a key without words, without its content: `=0@a.a` for a number at a host. Empty for letters alone."""
    found = _SOLID.sub(lambda part: "0" if part[0].isdecimal() else "a" if part[0].isalpha() else "x", text[:_LONGEST])
    return "" if found.isalpha() and found != "x" else f"={found}"


def _end(run: str, words: list[str], runs: list[tuple[str, str]]) -> None:
    """A part that is no word has ended: it is an id, and the word before it says of what."""
    if not run:
        return
    before = (shapes.words(words[-1]) or ("",))[-1] if words else ""
    runs.append((run, before))
    if before in shapes.PEOPLE_WORDS:
        words[-1] = ""  # the word names the owner, not the content


def _is_word(token: str) -> bool:
    return len(token) <= _LONGEST_WORD and token.isalpha() and any(word in _SAYING for word in shapes.words(token))
