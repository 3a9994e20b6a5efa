"""The signals of this process's answers, counted: `chatbot.answer.signals`.

Fed by `instrumentation.genai` (what a model's answer tells), `instrumentation.common.chat_turn` (a turn that has ended) and the thread
that exports metrics (`sweep`, each few seconds); feeds the store. Hot path: every turn comes here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ... import config
from ..._clock import monotonic
from ..._fork import at_fork
from ..._guard import never_raise
from ...health.version import version
from ...metrics import record
from ...metrics.shared.run import RUN
from ...semconv import attributes as a
from ...semconv import metrics as m
from ...semconv.attributes import AnswerSignal
from . import sketch
from .table import Table
from .tracker import Tracker

LOOP: Final = 3
"""How often a turn asks for the same tool with the same arguments until it is a loop."""
_MOST_TOOLS: Final = 256


class Course:
    """What is known so far of the answer that a turn is about to give, and of its question."""

    __slots__ = ("failed", "model", "question", "signals", "tools")

    def __init__(self) -> None:
        self.question: sketch.Question | None = None
        """The first question of the turn."""
        self.signals: set[AnswerSignal] = set()
        """Of the present answer: each counts once."""
        self.tools: dict[tuple[str | None, int], int] = {}
        """How often each tool was asked for, by its name and a checksum of its arguments."""
        self.model = ""
        self.failed = False
        """Whether the latest call of a model has failed."""

    def asks(self, text: str, before: str, secret: str) -> None:
        """A question is asked: what was known belongs to an earlier answer. `secret`: of the run's table."""
        if self.question is None:
            self.question = sketch.question(text, before, secret)
        if self.signals:
            self.flush()
        if self.tools:
            self.tools.clear()

    def wants(self, tool: str | None, arguments: int) -> None:
        """The model asks for a tool."""
        tools, key = self.tools, (tool, arguments)
        if key in tools or len(tools) < _MOST_TOOLS:
            tools[key] = number = tools.get(key, 0) + 1
            if number == LOOP:
                self.signals.add(AnswerSignal.TOOL_LOOP)

    def flush(self) -> None:
        """The answer is over: count its signals."""
        tell(self.signals, self.model)
        self.signals.clear()


class State:
    """What this process knows, and the settings for which it was made."""

    __slots__ = ("on", "settings", "slow_answer", "table", "tracker")

    def __init__(self, settings: config.Settings) -> None:
        self.settings = settings
        self.on = not record.switched_off(m.ANSWER_SIGNALS)
        self.table = Table(_folder)
        self.tracker = Tracker(self.table, _count, settings.left_after)
        self.slow_answer = settings.slow_answer


class _Process:
    state: State | None = None


def state() -> State:
    """What this process knows. Signals are counted if it is `on`: AUTO_OFF may name them."""
    found, settings = _Process.state, config.current()
    if found is None or found.settings is not settings:
        _renew()
        found = _Process.state = State(settings)
    return found


def tell(signals: Iterable[AnswerSignal], model: str) -> None:
    """Count signals of one answer."""
    for signal in signals:
        _count(signal, model)


def ended(course: Course, conversation: str | None, seconds: float | None, *, well: bool) -> None:
    """A turn has ended after so many seconds, which are None for a connection that had several; `well`: below 400."""
    if course.signals:
        course.flush()
    if conversation is None or seconds is None:
        return
    known = state()
    failed = course.failed or not well
    bad = None
    if failed:
        bad = AnswerSignal.LEFT_AFTER_ERROR
    elif seconds > known.slow_answer:
        bad = AnswerSignal.LEFT_AFTER_SLOW
    known.tracker.turned(conversation, course.question, course.model, monotonic(), bad=bad, failed=failed)


def touched(conversation: str) -> None:
    """A turn of a conversation has ended whose answer came from the cache."""
    known = state()
    if known.on:
        known.tracker.touched(conversation, monotonic())


@never_raise
def sweep() -> None:
    """Decide which conversations were left, as far as it is time to."""
    known = _Process.state
    if known is not None:
        known.tracker.sweep(monotonic())


def _count(signal: AnswerSignal, model: str) -> None:
    record.count(m.ANSWER_SIGNALS, 1.0, {a.ANSWER_SIGNAL: signal.value, a.GEN_AI_REQUEST_MODEL: model, a.RELEASE: version()})


def _folder() -> str | None:
    directory = RUN.directory()
    return None if directory is None else directory.path


def _renew() -> None:
    """In a forked child: what its parent waits for stays its parent's, and the run's table is opened anew."""
    known, _Process.state = _Process.state, None
    if known is not None:
        known.table.close()


at_fork(__name__, in_child=_renew)
