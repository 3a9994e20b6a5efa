"""What a user thinks of an answer, in any of three scales, as a rating with a name and a score from 0 to 1.

Fed by `quality.feedback` with what the application or a client has sent; feeds its figures and events.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

UP: Final = "up"
DOWN: Final = "down"
MOST_STARS: Final = 5
EXPECTED: Final = (
    "expected True, False, 'up' or 'down' (thumbs), a whole number from 1 to 5 (stars), or a float from 0.0 to 1.0"
)


class Rating(NamedTuple):
    """A rating by its name, of which there are few, and by its score from 0 (bad) to 1 (good)."""

    name: str
    score: float


def rating_of(score: object) -> Rating:
    """The rating that a score means. The type tells the scale: 1 is one star of five, the worst; 1.0 is the best.

    Thumbs are called `up` and `down`, stars `1` to `5`, and shares by fifths, `0.0-0.2` to `0.8-1.0`.

    Raises:
        ValueError: the score is none of these.
    """
    if isinstance(score, bool):
        return Rating(UP, 1.0) if score else Rating(DOWN, 0.0)
    if isinstance(score, str) and score in (UP, DOWN):
        return rating_of(score == UP)
    if isinstance(score, int) and 1 <= score <= MOST_STARS:
        return Rating(str(score), (score - 1) / (MOST_STARS - 1))
    if isinstance(score, float) and math.isfinite(score) and 0.0 <= score <= 1.0:
        fifth = min(int(score * 5), 4)
        return Rating(f"{fifth / 5:.1f}-{(fifth + 1) / 5:.1f}", score)
    raise ValueError(f"{score!r:.40} is no score: {EXPECTED}")
