"""Ratings of answers: each counted once per answer and user, where that user's opinion is now, and told as an event.

Fed by the application and `quality.views`; feeds the ledger, which holds who has rated what (as hashes) and how many ratings
there are, the gauge `chatbot.feedback`, which shows that, and `quality.evaluation`.
"""

from __future__ import annotations

import json
import time
from enum import Enum
from typing import Final

from .. import _wiring, config
from .._guard import report
from .._wiring import ensure_configured
from ..metrics import record, view
from ..metrics.shared.notes import NOTES
from ..metrics.store import Key
from ..semconv import attributes as a
from ..semconv import metrics as m
from . import evaluation, token
from .answer_ids import IN_USE, signing_key
from .ledger import PATIENT, LedgerUnavailable, Tally, key_of
from .scores import rating_of
from .token import Answer, Flaw

_DAY: Final = 86400.0
TALLY: Final = Tally("feedback", 400 * _DAY)
"""The ratings of a model's and a release's answers are shown until so long after the last one."""


class FeedbackResult(str, Enum):
    """What became of a rating."""

    COUNTED = "counted"
    """It is this user's first rating of the answer."""
    CHANGED = "changed"
    """It took the place of this user's earlier rating."""
    UNCHANGED = "unchanged"
    """This user has given the same rating before: nothing is counted twice."""
    FORGED = Flaw.FORGED.value
    """The id is none, or was changed."""
    FOREIGN = Flaw.FOREIGN.value
    """The id was signed with another key: by another app, or by an earlier run without CHATBOT_OTEL_FEEDBACK_KEY."""
    EXPIRED = Flaw.EXPIRED.value
    """The answer is older than CHATBOT_OTEL_FEEDBACK_LIFETIME."""
    UNAVAILABLE = "unavailable"
    """It could not be kept now, as Redis or the disk is away. Nothing is counted twice if it is given again."""
    LIMITED = "limited"
    """The client has sent too many."""

    @property
    def taken(self) -> bool:
        """Whether the rating counts."""
        return self in (FeedbackResult.COUNTED, FeedbackResult.CHANGED, FeedbackResult.UNCHANGED)


def feedback(
    answer_id: str | None,
    score: float | str,
    *,
    user: str | None = None,
    label: str | None = None,
    comment: str | None = None,
) -> FeedbackResult:
    """Rate the answer of an id: with thumbs (True, False, "up", "down"), 1 to 5 stars (int), or 0.0 to 1.0 (float).

    `user` tells users apart, so that each counts once per answer; without it, it is the one that the running request names.
    It is kept as a hash. `label` is a short name for the rating, from a few of the app's own. A comment is kept only where
    content is captured. An id that is not valid raises nothing: the result says why.

    Raises:
        ValueError: the score is none of these, or `label` or `comment` is no text.
    """
    rating = rating_of(score)
    for name, text in (("label", label), ("comment", comment)):
        if text is not None and not isinstance(text, str):
            raise ValueError(f"{name} must be a text or None")
    ensure_configured()
    try:
        answer = token.read(answer_id, signing_key(), time.time(), config.current().feedback_lifetime)
        if isinstance(answer, Flaw):
            return refuse(FeedbackResult(answer.value))
        show()
        before = _keep(answer, rating.name, _wiring.NAMED_USER() if user is None else str(user))
    except LedgerUnavailable:
        return refuse(FeedbackResult.UNAVAILABLE)
    except Exception as error:
        report("feedback", error)
        return FeedbackResult.UNAVAILABLE
    if before != rating.name or label or comment:
        evaluation.tell(answer, rating, before if before != rating.name else None, label, comment)
    if before is None:
        return FeedbackResult.COUNTED
    return FeedbackResult.UNCHANGED if before == rating.name else FeedbackResult.CHANGED


def refuse(result: FeedbackResult) -> FeedbackResult:
    """Count a rating that is not taken."""
    record.count(m.FEEDBACK_REFUSED, 1.0, {a.FEEDBACK_REASON: result.value})
    return result


def _keep(answer: Answer, rating: str, user: str | None) -> str | None:
    """Write a rating down; the rating that this user had given to this answer, if any."""
    key = key_of("feedback", answer.trace_id.hex(), answer.span_id.hex(), user or "")
    left = answer.at + config.current().feedback_lifetime - time.time()
    before = PATIENT.put_if_absent_or_move(key, _value(answer, rating), max(left, 0.0) + _DAY, TALLY)
    return None if before is None else str(json.loads(before)[0])


def _value(answer: Answer, rating: str) -> str:
    """What the ledger counts: the attributes of the gauge, in the order of its row."""
    return json.dumps([rating, answer.model, answer.release], separators=(",", ":"))


class _Shown:
    """Whether this process shows the ratings, and what it saw last."""

    installed = False
    last: dict[Key, float] = {}  # noqa: RUF012 - replaced, never changed


def show() -> None:
    """Show the ratings in the view of this process from now on."""
    if not _Shown.installed:
        _Shown.installed = True
        record.gauge_source(m.FEEDBACK, ratings)


def show_if_in_use() -> None:
    """Show the ratings, if the settings or a process of this run say that there may be some. An app without pays a look."""
    if not _Shown.installed and (config.current().feedback_key or NOTES.get(IN_USE)):
        show()


def ratings() -> dict[Key, float]:
    """How many answers are rated how, by the attributes of `chatbot.feedback`; what was seen last while the ledger is away."""
    try:
        counts = PATIENT.tally(TALLY.name)
    except LedgerUnavailable:
        return _Shown.last
    _Shown.last = _bounded({tuple(part or None for part in json.loads(value)): count for value, count in counts.items()})
    return _Shown.last


def _bounded(counts: dict[Key, int]) -> dict[Key, float]:
    """At most as many series as a metric may have; the rarest are added up by rating alone, as clients may choose models."""
    kept: dict[Key, float] = {}
    limit = config.current().series_limit
    for number, key in enumerate(sorted(counts, key=lambda key: (-counts[key], str(key)))):
        shown = key if number < limit else (key[0], None, None)
        kept[shown] = kept.get(shown, 0.0) + counts[key]
    return kept


view.VIEW.refreshers.append(show_if_in_use)
