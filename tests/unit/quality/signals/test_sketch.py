"""What is kept of a question: enough to compare two, nothing that could be read."""

from __future__ import annotations

import random

import pytest

from otel_chatbot.quality.signals import sketch

SECRET = "a secret of the run"


def shared(one: str, other: str) -> float:
    return sketch.alike(sketch.words(one, SECRET), sketch.words(other, SECRET))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("How do I reset my password?", "how do i RESET my password", 1.0),
        ("resetting passwords", "password: reset", 1.0),
        ("How do I reset my password?", "Which trains leave for Hamburg?", 0.0),
        ("Where is order 48213?", "Where is order 99107?", 0.5),
        ("パスワードの再設定", "パスワードの再設定", 1.0),
        ("パスワードの再設定", "営業時間は何時", 0.0),
        ("", "", 0.0),
    ],
)
def test_two_questions_are_as_alike_as_the_stems_of_their_words(one: str, other: str, expected: float) -> None:
    assert shared(one, other) == expected


def test_long_questions_are_compared_by_a_fair_sample_of_their_words() -> None:
    draw = random.Random(7)
    words = [f"{number:05}" for number in range(4000)]
    found = []
    for _ in range(200):
        common, left, right = (draw.sample(words, 60) for _ in range(3))
        found.append(shared(" ".join(common + left), " ".join(common + right)))
    assert all(len(sketch.words(" ".join(words[at : at + 50]), SECRET)) == sketch.MOST_WORDS for at in range(0, 400, 50))
    assert sum(found) / len(found) == pytest.approx(1 / 3, abs=0.04)


def test_the_same_question_in_the_same_place_is_the_same_and_elsewhere_it_is_not() -> None:
    asked = sketch.question("Tell me a joke", "", SECRET)
    assert asked == sketch.question("Tell me a joke", "", SECRET)
    assert asked.whole != sketch.question("Tell me a joke", "2 Here is one", SECRET).whole
    assert asked.whole != sketch.question("Tell me a joke!", "", SECRET).whole
    assert sketch.question("yes", "", SECRET).whole == 0, (
        "what is said again and again cannot be told apart without an answer before it"
    )
    assert sketch.question("yes", "4 Shall I go on?", SECRET).whole != 0


def test_texts_of_ascii_alone_are_read_as_all_others() -> None:
    for at in range(0x80):
        text = f"Alpha{chr(at)}beta G{chr(at)}d_e Longer{chr(at)} 4711 ab"
        assert sketch.words(text, SECRET) == sketch.words(text + " é", SECRET), f"character {at}"


def test_hashes_depend_on_the_secret_of_the_run() -> None:
    one, other = (sketch.question("Tell me about my order", "", secret) for secret in ("one", "other"))
    assert one.whole != other.whole
    assert not set(one.words) & set(other.words)
