"""Three scales of scores, told apart by their types."""

from __future__ import annotations

import pytest

from otel_chatbot.quality.scores import rating_of


@pytest.mark.parametrize(
    ("score", "name", "value"),
    [
        (True, "up", 1.0), (False, "down", 0.0), ("up", "up", 1.0), ("down", "down", 0.0),
        (1, "1", 0.0), (3, "3", 0.5), (5, "5", 1.0),
        (0.0, "0.0-0.2", 0.0), (0.19, "0.0-0.2", 0.19), (0.2, "0.2-0.4", 0.2), (0.6, "0.6-0.8", 0.6), (1.0, "0.8-1.0", 1.0),
    ],
)  # fmt: skip
def test_a_score_is_a_rating_of_its_scale(score: object, name: str, value: float) -> None:
    assert rating_of(score) == (name, value)


@pytest.mark.parametrize(
    "score", [0, 6, -1, -0.1, 1.1, float("nan"), float("inf"), "Up", "", "5", None, [], {}, b"up", 3.0, "x" * 1000]
)
def test_anything_else_is_an_error_that_says_what_is_expected(score: object) -> None:
    with pytest.raises(ValueError, match="expected True, False, 'up' or 'down'") as error:
        rating_of(score)
    assert len(str(error.value)) < 250


def test_one_is_the_worst_of_stars_and_the_best_of_shares() -> None:
    assert rating_of(1).score == 0.0
    assert rating_of(1.0).score == 1.0
