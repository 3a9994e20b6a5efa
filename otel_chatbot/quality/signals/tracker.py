"""Which signals a turn gives beside its conversation's earlier one, and which conversations were left after a bad one.

Fed by `quality.signals.figures` with turns that have ended; it tells of signals by a function that it is given. What it knows of
conversations is in `quality.signals.table`. Only of turns that went badly it keeps a note, until it is clear whether the
conversation went on: the notes stand in the order of their time, and each turn and each reader looks at the first one only.
"""

from __future__ import annotations

import threading
import zlib
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from ...semconv.attributes import AnswerSignal
from .sketch import FEWEST, Question, alike
from .table import Table, Turn

NEAR: Final = 300.0
"""Seconds within which a question may be the earlier one in other words."""
ALIKE: Final = 0.3
"""How much of their words two questions share if one is the other in other words."""
MOST_NOTES: Final = 10_000
"""Conversations per process that may have been left and for which the time is not over; further ones are not judged."""
_MOST_MODELS: Final = 256
_made: Final = tuple.__new__
_AT_ONCE: Final = 64
"""Notes that one look decides at most, so that no turn pays for many."""


class Note(NamedTuple):
    """A turn that went badly: what it will be if nothing follows it."""

    due: float
    digest: bytes
    time: float
    signal: AnswerSignal
    model: str


class Tracker:
    """The conversations of this process's run. `tell` is told of each signal and the model that gave the answer."""

    def __init__(self, table: Table, tell: Callable[[AnswerSignal, str], None], left_after: float) -> None:
        self._table = table
        self._tell = tell
        self._left_after = left_after
        self._notes: deque[Note] = deque()
        self._models: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self._lock = threading.Lock()

    @property
    def table(self) -> Table:
        """What is known of conversations."""
        return self._table

    def turned(
        self,
        conversation: str,
        asked: Question | None,
        model: str,
        now: float,
        *,
        bad: AnswerSignal | None = None,
        failed: bool = False,
    ) -> None:
        """A turn has ended: `bad` is what it will have been if the conversation is left; `failed`: it had no answer."""
        notes, table = self._notes, self._table
        if notes and notes[0].due <= now:
            self.sweep(now)
        digest = table.digest(conversation)
        before = table.put(digest, _made(Turn, (now, asked, not failed, self._models.get(model) or self._number(model))))
        if before is not None and asked is not None:
            time, question, well, earlier = before
            if question is not None and well:
                signal = _asked_again(question, asked, now - time)
                if signal is not None:  # it is the earlier answer that was not good enough
                    self._tell(signal, self._names.get(earlier, model))
        if bad is not None and len(notes) < MOST_NOTES:
            notes.append(Note(now + self._left_after, digest, now, bad, model))

    def touched(self, conversation: str, now: float) -> None:
        """A turn has ended without a model: the conversation goes on, and nothing is known of its question."""
        self._table.put(self._table.digest(conversation), Turn(now, None, well=True))

    def _number(self, model: str) -> int:
        """What stands for a model in the table. Another process's model has no name here until it is asked here too."""
        number = zlib.crc32(model.encode("utf-8", "surrogatepass"))
        if len(self._models) < _MOST_MODELS:
            self._models[model] = number
            self._names[number] = model
        return number

    def sweep(self, now: float) -> None:
        """Decide the notes whose time is over, a bounded number of them."""
        for _ in range(_AT_ONCE):
            with self._lock:
                if not self._notes or self._notes[0].due > now:
                    return
                note = self._notes.popleft()
            latest = self._table.get(note.digest)
            if latest is not None and latest.time == note.time:
                self._tell(note.signal, note.model)


def _asked_again(before: Question, asked: Question, seconds: float) -> AnswerSignal | None:
    """What a question is to the one before it in the conversation."""
    whole, words = asked
    if whole and whole == before.whole:
        return AnswerSignal.REGENERATED
    if 0 <= seconds <= NEAR and len(words) >= FEWEST <= len(before.words) and alike(words, before.words) >= ALIKE:
        return AnswerSignal.REPHRASED
    return None
