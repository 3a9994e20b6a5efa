"""What a call of a model tells of the quality of its turn's answer: how it ended, which tools it asks for, what was asked.

Fed by `genai.call` when a call has ended; feeds `quality.signals`, in the running turn or, outside of one, at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._guard import report
from ...quality.signals import endings, figures
from ...semconv.attributes import AnswerSignal
from .protocols.questions import question

if TYPE_CHECKING:
    from ..common.chat_turn import ChatTurn
    from .call import Call
    from .protocols.answer import Answer


def heard(call: Call, turn: ChatTurn | None) -> None:
    """A call that was to give an answer has ended. Never raises; its guard is written out, for a wrapper would cost its part."""
    try:
        state = figures.state()
        if not state.on:
            return
        answer = call.answer if call.failure is None else None
        found = None if answer is None else _signals(answer)
        if turn is None or turn.well is not None:
            if found:
                figures.tell(found, call.model)
            return
        course = turn.course
        if course is None:
            course = turn.course = figures.Course()
        asked = question(call.asked.said)
        if asked is not None:
            course.asks(*asked, state.table.secret())
        course.model = call.model
        course.failed = call.failure is not None
        if found:
            course.signals |= found
        if answer is not None and answer.tools:
            for tool in answer.tools.values():
                course.wants(tool.name, tool.checksum)
    except Exception as error:
        report("looking for signs of bad answers", error)


def _signals(answer: Answer) -> set[AnswerSignal]:
    found = endings.of(answer.finish.values())
    if answer.refused:
        found.add(AnswerSignal.REFUSED)
    # An answer that nobody read to its end has no reason yet.
    if answer.finish and not (answer.said or answer.tools or AnswerSignal.REFUSED in found):
        found.add(AnswerSignal.EMPTY)
    return found
