"""What is kept of a question: one hash of all of it, and a few hashes of its words, so that two questions can be compared.

Fed by `quality.signals.figures` with the question of a running turn; feeds `quality.signals.tracker`. No text outlives these
functions. Hashes are Python's own of texts (SipHash, whose key each interpreter draws at its start and servers' workers inherit),
behind a prefix that is a secret of the run, so that they stay secret where PYTHONHASHSEED is set.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

MOST_WORDS: Final = 15
"""The most hashes of words that are kept of a question: the smallest ones, so that what is kept of two questions can be compared."""
_MOST_TEXT: Final = 2000
"""Characters of a question whose words are looked at."""
_SHORTEST: Final = 3
"""Characters of the shortest word that is looked at: shorter ones are mostly those that every question has."""
_STEM: Final = 5
"""Characters of a word that count: what follows is mostly an ending."""
_WORD: Final = re.compile(rf"[^\W_]{{{_SHORTEST},}}")
_UNSPACED: Final = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
"""Scripts that put no space between words: there, each two characters count as a word."""
_PLAIN: Final = bytes(code if chr(code).isalnum() else 0x20 for code in bytes(range(128)).lower()).ljust(256)
"""What an ASCII character is in a word, in lower case, or a space: texts of these alone, as most are, need no search by pattern."""
_BITS: Final = 0xFFFFFFFF


FEWEST: Final = 2
"""Words of the shortest question that can be told from "yes" or "go on", which may be said again and again."""


class Question(NamedTuple):
    """What is kept of a question."""

    whole: int
    """Of the question and the answer before it: the same if the same question is asked again in the same place. 0: cannot be told."""
    words: AbstractSet[int] | tuple[int, ...]
    """Of its words, each once, in no order that tells of the text."""


_made: Final = tuple.__new__
"""Makes a named tuple at half the cost of its own call."""


def question(text: str, before: str, secret: str) -> Question:
    """The hashes of a question; `before` is the answer that came before it in the conversation."""
    found = words(text, secret)
    if not before and len(found) < FEWEST:
        return Question(0, found)
    whole = hash(f"{secret}{len(text)} {text}{before[:_MOST_TEXT]}") & 0xFFFFFFFFFFFFFFFF
    return _made(Question, (whole, found))


def words(text: str, secret: str) -> AbstractSet[int]:
    """The hashes of a text's words."""
    text = text[:_MOST_TEXT]
    if text.isascii():
        spaced = text.encode("ascii").translate(_PLAIN).decode("ascii")
        found = {hash(secret + word[:_STEM]) & _BITS for word in spaced.split() if len(word) >= _SHORTEST}
    else:
        text = text.lower()
        found = {hash(secret + word[:_STEM]) & _BITS for word in _WORD.findall(text)}
        for run in _UNSPACED.findall(text):
            found.update([hash(secret + run[at : at + 2]) & _BITS for at in range(len(run) - 1)])
    return found if len(found) <= MOST_WORDS else set(sorted(found)[:MOST_WORDS])


def alike(one: AbstractSet[int] | tuple[int, ...], other: AbstractSet[int] | tuple[int, ...]) -> float:
    """How many of the words of two questions are in both, from 0 to 1 (Jaccard): exact while neither has more than are kept."""
    left = one if isinstance(one, set) else set(one)
    if len(one) < MOST_WORDS > len(other):
        shared = len(left.intersection(other))
        return shared / (len(one) + len(other) - shared) if shared else 0.0
    # Of larger sets, the smallest hashes of both together are a fair sample.
    sample = set(sorted(left.union(other))[:MOST_WORDS])
    return len(sample & left & set(other)) / len(sample)
