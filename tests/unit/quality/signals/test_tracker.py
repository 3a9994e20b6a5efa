"""What a turn says of the answer before it, and which conversations were left after a bad one."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.labelled_chats import LEFT_AFTER, SLOW, Judged, conversations, intents, stable_hash

from otel_chatbot.quality.signals import sketch, tracker
from otel_chatbot.quality.signals.table import Table
from otel_chatbot.quality.signals.tracker import NEAR, Tracker
from otel_chatbot.semconv.attributes import AnswerSignal

ERROR, SLOWLY = AnswerSignal.LEFT_AFTER_ERROR, AnswerSignal.LEFT_AFTER_SLOW
RESET = "How do I reset my password?"
DOCUMENTED = Path(__file__).parents[4] / "docs" / "guides" / "answer-quality.md"


class Chats(Tracker):
    """A tracker of 60 seconds, and what it told."""

    def __init__(self, folder: Path, left_after: float = 60.0) -> None:
        self.told: list[tuple[AnswerSignal, str]] = []
        super().__init__(Table(lambda: str(folder)), lambda signal, model: self.told.append((signal, model)), left_after)

    def turn(self, text: str, now: float, *, before: str = "", bad: AnswerSignal | None = None, model: str = "m") -> None:
        asked = sketch.question(text, before, self.table.secret())
        self.turned("c1", asked, model, now, bad=bad, failed=bad is ERROR)


@pytest.fixture
def chats(tmp_path: Path) -> Chats:
    return Chats(tmp_path)


def test_the_same_question_in_the_same_place_replaces_the_answer_of_the_model_that_gave_it(chats: Chats) -> None:
    chats.turn(RESET, 1.0, model="first")
    chats.turn(RESET, 90000.0, model="second")
    chats.turn(RESET, 90001.0, model="third")
    assert chats.told == [(AnswerSignal.REGENERATED, "first"), (AnswerSignal.REGENERATED, "second")]


def test_a_question_in_other_words_is_one_soon_after_alone(chats: Chats) -> None:
    chats.turn(RESET, 1.0)
    chats.turn("I want to reset a password, how?", 1.0 + NEAR, before="2 So")
    assert chats.told == [(AnswerSignal.REPHRASED, "m")]
    chats.turn(RESET, 2.0 + 2 * NEAR + 1, before="4 So")
    assert len(chats.told) == 1


def test_a_question_about_something_else_is_none_and_neither_is_a_word_that_is_said_again(chats: Chats) -> None:
    chats.turn(RESET, 1.0)
    for number, text in enumerate(("How long is that link valid?", "yes", "yes", "yes", "Which trains leave?")):
        chats.turn(text, 2.0 + number, before=f"{number} So")
    assert chats.told == []


def test_a_second_try_after_a_failure_says_nothing_of_an_answer(chats: Chats) -> None:
    chats.turn(RESET, 1.0, bad=ERROR)
    chats.turn(RESET, 2.0)
    assert chats.told == []


@pytest.mark.parametrize("bad", [ERROR, SLOWLY])
def test_a_conversation_is_left_if_nothing_follows_a_bad_turn(chats: Chats, bad: AnswerSignal) -> None:
    chats.turn(RESET, 1.0, bad=bad, model="slow-1")
    chats.sweep(60.9)
    assert chats.told == []
    chats.sweep(61.0)
    chats.sweep(62.0)
    assert chats.told == [(bad, "slow-1")]


def test_a_conversation_that_goes_on_was_not_left_whichever_process_it_goes_on_in(chats: Chats, tmp_path: Path) -> None:
    other = Chats(tmp_path)
    chats.turn(RESET, 1.0, bad=ERROR)
    other.turn("Something else entirely", 30.0)
    chats.sweep(100.0)
    chats.turn(RESET, 101.0, bad=SLOWLY)
    other.touched("c1", 130.0)
    chats.sweep(200.0)
    assert chats.told == other.told == []


def test_processes_see_each_others_questions(chats: Chats, tmp_path: Path) -> None:
    other = Chats(tmp_path)
    chats.turn(RESET, 1.0)
    other.turn(RESET, 2.0)
    chats.turn("reset password", 3.0, before="2 So")
    assert (other.told, chats.told) == ([(AnswerSignal.REGENERATED, "m")], [(AnswerSignal.REPHRASED, "m")])


def test_turns_of_others_decide_what_is_due_a_bounded_number_at_once(chats: Chats, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker, "_AT_ONCE", 3)
    for number in range(5):
        chats.turned(f"left {number}", None, "m", 1.0, bad=ERROR, failed=True)
    chats.turn(RESET, 100.0)
    assert len(chats.told) == 3
    chats.turn("Something else", 101.0)
    assert len(chats.told) == 5


def test_notes_are_bounded(chats: Chats, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker, "MOST_NOTES", 4)
    for number in range(9):
        chats.turned(f"left {number}", None, "m", 1.0, bad=ERROR, failed=True)
    for _ in range(9):
        chats.sweep(1000.0)
    assert len(chats.told) == 4


def test_questions_in_other_words_are_found_as_often_as_the_documentation_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sketch, "hash", stable_hash, raising=False)
    every, held_out = rephrased(tmp_path / "all", intents()), rephrased(tmp_path / "odd", intents()[1::2])
    rows = [line for line in DOCUMENTED.read_text(encoding="utf-8").splitlines() if line.startswith("| `rephrased`")]
    for judged, row in zip((every, held_out), rows, strict=True):
        precision, recall = judged.precision(AnswerSignal.REPHRASED), judged.recall(AnswerSignal.REPHRASED)
        assert precision >= 0.9
        assert recall >= 0.8
        assert f"{precision:.2f} | {recall:.2f}" in row


def rephrased(folder: Path, questions: list) -> Judged:  # type: ignore[type-arg]
    """How 1,000 conversations are judged, by their questions and times alone."""
    folder.mkdir()
    judged = Judged()
    chats = Chats(folder, LEFT_AFTER)
    for number, turns in enumerate(conversations(1000, known=questions)):
        now, answers = 0.0, 0
        for turn in turns:
            answers -= turn.again and answers > 0
            now += turn.pause + turn.seconds
            before = f"{2 * answers} answer {number}-{answers}" if answers else ""
            asked = sketch.question(turn.text, before, "known")
            chats.told = []
            bad = ERROR if turn.fails else SLOWLY if turn.seconds > SLOW else None
            chats.turned(f"c{number}", asked, "m", now, bad=bad, failed=turn.fails)
            answers += not turn.fails
            judged.turn({signal for signal, _ in chats.told} & {AnswerSignal.REPHRASED}, turn.labels & {AnswerSignal.REPHRASED})
    return judged
