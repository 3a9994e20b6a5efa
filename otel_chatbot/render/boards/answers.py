"""Whether the answers are any good: signs that nobody has to click for, and what users say of them.

Fed by `render.promql`; feeds `render.boards.ai`.
"""

from __future__ import annotations

from ...semconv import attributes as a
from ...semconv import metrics as m
from ..panels import Panel, Query, Row, falling, rising
from ..promql import CHOSEN as Q
from ..promql import CHOSEN_MODELS, like, ratio

_MODEL = f"{{{a.GEN_AI_REQUEST_MODEL}}}"
_BY_MODEL = CHOSEN_MODELS.split(a.GEN_AI_REQUEST_MODEL)
_RATED = CHOSEN_MODELS.split(a.RATING, a.GEN_AI_REQUEST_MODEL, a.RELEASE)
"""Each instance says the same of ratings: one of them is asked."""
_LIKED = like(a.RATING, "|".join(a.LIKED))


def _ratings(by: str, *matchers: str) -> str:
    """How many answers are rated, the figures of an attribute apart."""
    return f"sum by ({Q.split(by).labels()}) ({_RATED.value(m.FEEDBACK, *matchers, how='max')})"


ROWS: tuple[Row, ...] = (
    Row(
        "Signs of bad answers",
        [
            Panel(
                "Signs per hour by kind",
                "short",
                "Answers that were replaced, asked for in other words, refused, cut off, empty or left; tools that go in circles.",
                [Query(f"3600 * {CHOSEN_MODELS.split(a.ANSWER_SIGNAL).rate(m.ANSWER_SIGNALS)}", f"{{{a.ANSWER_SIGNAL}}}")],
                stacked=True,
                width=12,
            ),
            Panel(
                "Signs per AI call by model",
                "percentunit",
                "How many signs there are for each AI call: a model with more of them gives worse answers, or has harder questions.",
                [Query(ratio(_BY_MODEL.rate(m.ANSWER_SIGNALS), _BY_MODEL.rate(m.AI_RESPONSE_TIME)), _MODEL)],
                rising(0.1, 0.3),
                width=12,
            ),
        ],
    ),
    Row(
        "What users think of the answers",
        [
            Panel(
                "Answers by rating",
                "short",
                "How many answers are rated how, each once per user by the present rating. It goes on after a restart.",
                [Query(_ratings(a.RATING), f"{{{a.RATING}}}")],
                stacked=True,
            ),
            Panel(
                "Liked, by release",
                "percentunit",
                "The share of ratings that are good: thumbs up, four and five stars, 0.6 and more. By the release that gave the answer.",
                [
                    Query(
                        ratio(f"({_ratings(a.RELEASE, _LIKED)} or 0 * {_ratings(a.RELEASE)})", _ratings(a.RELEASE)),
                        f"{{{a.RELEASE}}}",
                    )
                ],
                falling(0.5, 0.7),
                most=1,
            ),
            Panel(
                "Ratings that were not taken",
                "ops",
                "Per second, by reason: ids that were changed, belong to another app or are too old; clients that send too many.",
                [Query(Q.each(a.FEEDBACK_REASON).rate(m.FEEDBACK_REFUSED), f"{{{a.FEEDBACK_REASON}}}")],
                rising(0.1, 1),
            ),
        ],
    ),
)
"""The rows of the dashboard of chats and AI."""
