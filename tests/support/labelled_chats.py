"""Made-up conversations whose turns say which signals they deserve: what the rules of `quality.signals` are judged by.

The questions are in `labelled_chats.txt`. Labels say what the person did, not what the rules see: a question in other words is
`rephrased` whether or not it shares any word with the earlier one. A seed gives always the same conversations.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from otel_chatbot.semconv.attributes import AnswerSignal

LEFT_AFTER = 600.0
SLOW = 20.0
SHORT = ("yes", "ok", "go on", "thanks", "no", "more please")


def stable_hash(text: str) -> int:
    """In place of Python's hash of a text, which differs from process to process: of long questions, it decides what is compared."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


@dataclass
class Told:
    """One turn: what the user does, after how many seconds of silence, and how it goes."""

    text: str
    pause: float
    again: bool = False
    """Whether the answer is asked for again, so that the history ends before the answer that is replaced."""
    seconds: float = 2.0
    fails: bool = False
    ending: AnswerSignal | None = None
    """How the model ends the answer, if not well."""
    labels: set[AnswerSignal] = field(default_factory=set)


@dataclass(frozen=True)
class Intent:
    """A question in several words, and questions that may follow it."""

    wordings: tuple[str, ...]
    follow_ups: tuple[str, ...]


def intents() -> list[Intent]:
    lines = Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    blocks = "\n".join(line for line in lines if not line.startswith("#")).strip().split("\n\n")
    parts = [block.split("\n-\n") for block in blocks]
    return [Intent(tuple(asked.splitlines()), tuple(then.splitlines())) for asked, then in parts]


def conversations(count: int, seed: int = 20, known: Iterable[Intent] | None = None) -> Iterator[list[Told]]:
    """So many conversations, by intents in turn, with their labels."""
    draw = random.Random(seed)
    questions = list(known or intents())
    for number in range(count):
        yield _labelled(list(_turns(draw, questions, questions[number % len(questions)])))


def _turns(draw: random.Random, questions: list[Intent], intent: Intent) -> Iterator[Told]:
    wording = draw.choice(intent.wordings)
    yield _run(draw, Told(wording, 0.0))
    follow_ups = list(intent.follow_ups)
    for _ in range(draw.randrange(1, 6)):
        pause = draw.uniform(5, 120)
        what = draw.random()
        if what < 0.16:
            wording = draw.choice([other for other in intent.wordings if other != wording])
            yield _run(draw, Told(wording, pause, labels={AnswerSignal.REPHRASED}))
        elif what < 0.28:
            yield _run(draw, Told(wording, pause, again=True, labels={AnswerSignal.REGENERATED}))
        elif what < 0.36:
            yield _run(draw, Told(draw.choice(SHORT), pause))
            wording = ""
        elif what < 0.44:  # much later, the person comes back to it
            wording = draw.choice([other for other in intent.wordings if other != wording])
            yield _run(draw, Told(wording, draw.uniform(1800, 90000)))
        elif what < 0.60:
            intent = draw.choice([other for other in questions if other is not intent])
            wording, follow_ups = draw.choice(intent.wordings), list(intent.follow_ups)
            yield _run(draw, Told(wording, pause))
        elif follow_ups:
            follow_up = follow_ups.pop(draw.randrange(len(follow_ups)))
            yield _run(draw, Told(follow_up, pause))
            wording = ""
        if not wording:  # the next question in other words would be one about something that is long past
            intent = draw.choice([other for other in questions if other is not intent])
            wording, follow_ups = draw.choice(intent.wordings), list(intent.follow_ups)
            yield _run(draw, Told(wording, draw.uniform(5, 120)))


def _run(draw: random.Random, told: Told) -> Told:
    """How it goes: most turns go well."""
    chance = draw.random()
    if chance < 0.05:
        told.fails = True
    elif chance < 0.10:
        told.seconds = draw.uniform(SLOW + 1, 60)
    elif chance < 0.20:
        told.ending = draw.choice((AnswerSignal.REFUSED, AnswerSignal.CUT_OFF, AnswerSignal.EMPTY, AnswerSignal.TOOL_LOOP))
        told.labels.add(told.ending)
    return told


def _labelled(turns: list[Told]) -> list[Told]:
    for turn, after in zip(turns, [*turns[1:], None], strict=True):
        if after is not None and turn.fails:  # a second try after a failure replaces no answer
            after.labels -= {AnswerSignal.REGENERATED, AnswerSignal.REPHRASED}
        if after is None or after.pause > LEFT_AFTER:
            if turn.fails:
                turn.labels.add(AnswerSignal.LEFT_AFTER_ERROR)
            elif turn.seconds > SLOW:
                turn.labels.add(AnswerSignal.LEFT_AFTER_SLOW)
    return turns


@dataclass
class Judged:
    """How often a signal was given rightly, wrongly, and not although it was deserved."""

    right: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)

    def turn(self, given: Iterable[AnswerSignal], deserved: Iterable[AnswerSignal]) -> None:
        got, due = {signal.value for signal in given}, {signal.value for signal in deserved}
        self.right.update(got & due)
        self.wrong.update(got - due)
        self.missed.update(due - got)

    def precision(self, signal: AnswerSignal) -> float:
        return self.right[signal.value] / max(self.right[signal.value] + self.wrong[signal.value], 1)

    def recall(self, signal: AnswerSignal) -> float:
        return self.right[signal.value] / max(self.right[signal.value] + self.missed[signal.value], 1)
