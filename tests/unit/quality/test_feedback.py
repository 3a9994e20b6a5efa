"""Ratings: once per answer and user, moved by a changed mind, told as events, and harmless whatever comes."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from support import ledgers
from support.databases import Figures
from support.flask_hooks import hooked
from support.rated import KEY, Events, rated

from otel_chatbot import FeedbackResult, _guard, feedback
from otel_chatbot.metrics import view
from otel_chatbot.quality import feedback as module
from otel_chatbot.quality.ledger import Ledger
from otel_chatbot.quality.token import Answer, SigningKey, sign
from otel_chatbot.semconv import metrics as m


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Events]:
    with rated(monkeypatch, tmp_path) as made:
        yield made


def an_answer(model: str = "gpt-4o-mini", release: str = "1.4.2", key: str = KEY, age: float = 0.0) -> str:
    ids = secrets.token_bytes(16), secrets.token_bytes(8)
    return sign(Answer(*ids, 1, model, release, "chatcmpl-7", int(time.time() - age)), SigningKey(key.encode()))


def shown() -> dict[tuple[object, ...], float]:
    """What the view of this process says of ratings."""
    (family,) = [family for family in view.read() if family.spec is m.FEEDBACK]
    return {tuple(point.attributes.values()): point.value for point in family.points if point.value}


def test_a_rating_counts_once_per_answer_and_user_and_a_changed_mind_moves_it(events: Events) -> None:
    one, two = an_answer(), an_answer()
    assert feedback(one, True, user="ada") is FeedbackResult.COUNTED
    assert feedback(one, "up", user="ada") is FeedbackResult.UNCHANGED
    assert feedback(one, True, user="bob") is FeedbackResult.COUNTED
    assert feedback(two, 4, user="ada") is FeedbackResult.COUNTED
    assert shown() == {("up", "gpt-4o-mini", "1.4.2"): 2, ("4", "gpt-4o-mini", "1.4.2"): 1}
    assert feedback(one, False, user="ada") is FeedbackResult.CHANGED
    assert feedback(one, 0.9, user="bob") is FeedbackResult.CHANGED
    assert shown() == {(name, "gpt-4o-mini", "1.4.2"): 1 for name in ("down", "0.8-1.0", "4")}
    assert all(result.taken for result in (FeedbackResult.COUNTED, FeedbackResult.UNCHANGED, FeedbackResult.CHANGED))


def test_two_answers_of_one_request_are_rated_each_for_itself(events: Events) -> None:
    key, now = SigningKey(KEY.encode()), int(time.time())
    one, two = (sign(Answer(b"t" * 16, span * 8, 1, "m", "1", "", now), key) for span in (b"1", b"2"))
    assert [feedback(each, True) for each in (one, two, one)] == [
        FeedbackResult.COUNTED, FeedbackResult.COUNTED, FeedbackResult.UNCHANGED,
    ]  # fmt: skip


def test_ratings_are_counted_by_the_model_and_the_release_of_the_answer(events: Events) -> None:
    for model, release in (("a", "1"), ("a", "2"), ("b", "2"), ("", "")):
        assert feedback(an_answer(model, release), True).taken
    assert shown() == {("up", "a", "1"): 1, ("up", "a", "2"): 1, ("up", "b", "2"): 1, ("up",): 1}


def test_each_new_opinion_is_an_event_and_a_repeated_one_only_with_more_to_say(events: Events) -> None:
    answer = an_answer()
    feedback(answer, True, user="ada")
    feedback(answer, True, user="ada")
    feedback(answer, True, user="ada", label="helpful")
    feedback(answer, 2, user="ada", label="wrong")
    told = [(each["gen_ai.evaluation.score.value"], each["gen_ai.evaluation.score.label"]) for each in events.fields]
    assert told == [(1.0, "up"), (1.0, "helpful"), (0.25, "wrong")]
    assert [each.get("chatbot.feedback.before") for each in events.fields] == [None, None, "up"]


def test_without_a_user_it_is_the_one_that_the_request_names_or_else_nobody(events: Events) -> None:
    app, answer = Flask("toy"), an_answer()
    app.post("/rate")(lambda: feedback(answer, True).value)
    with hooked():
        clients = [app.test_client().post("/rate", headers={"X-User-Id": name}).text for name in ("ada", "bob", "ada")]
    assert clients == ["counted", "counted", "unchanged"]
    assert [feedback(answer, True).value, feedback(answer, True).value] == ["counted", "unchanged"]


def test_an_id_that_is_not_valid_raises_nothing_and_is_counted_by_reason(events: Events) -> None:
    seen = Figures()
    given = {
        FeedbackResult.FORGED: (None, "", "x" * 10_000, an_answer()[:-1]),
        FeedbackResult.FOREIGN: (an_answer(key="the key of another app"),),
        FeedbackResult.EXPIRED: (an_answer(age=91 * 86400),),
    }
    for result, ids in given.items():
        assert {feedback(each, True) for each in ids} == {result}
        assert not result.taken
    assert seen.series(m.FEEDBACK_REFUSED) == {("forged",): 4, ("foreign",): 1, ("expired",): 1}
    assert events.entries == []


def test_an_answer_can_be_rated_until_its_lifetime_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with rated(monkeypatch, tmp_path, feedback_lifetime=3600.0):
        assert feedback(an_answer(age=3500), True) is FeedbackResult.COUNTED
        assert feedback(an_answer(age=3700), True) is FeedbackResult.EXPIRED


@pytest.mark.parametrize("wrong", [{"score": 7}, {"score": None}, {"label": 7}, {"comment": ["text"]}])
def test_wrong_arguments_are_the_only_error(events: Events, wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"score|label|comment"):
        feedback(an_answer(), **{"score": True, **wrong})  # type: ignore[arg-type]
    assert feedback(an_answer(), True) is FeedbackResult.COUNTED


def test_while_the_ledger_is_away_nothing_counts_twice_and_the_figures_stay(
    events: Events, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen, answer = Figures(), an_answer()
    feedback(answer, True)
    before = shown()
    whole = module.PATIENT
    (tmp_path / "file").touch()
    monkeypatch.setattr(module, "PATIENT", ledgers.ledger("sqlite", str(tmp_path / "file" / "ledger")))
    assert feedback(answer, False) is FeedbackResult.UNAVAILABLE
    assert shown() == before
    assert seen.series(m.FEEDBACK_REFUSED) == {("unavailable",): 1}
    monkeypatch.setattr(module, "PATIENT", whole)
    assert feedback(answer, False) is FeedbackResult.CHANGED
    assert shown() == {("down", "gpt-4o-mini", "1.4.2"): 1}


def test_a_fault_of_ours_is_no_fault_of_the_apps(events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "key_of", None)
    monkeypatch.setattr(_guard.Guard, "strict", False)
    assert feedback(an_answer(), True) is FeedbackResult.UNAVAILABLE


def test_a_later_run_shows_the_ratings_of_earlier_ones(events: Events, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    feedback(an_answer(), True)
    monkeypatch.setattr(module, "PATIENT", ledgers.ledger("sqlite", str(tmp_path / "ledger.sqlite")))
    monkeypatch.setattr(module._Shown, "last", {})
    assert shown() == {("up", "gpt-4o-mini", "1.4.2"): 1}
    module.PATIENT.close()


def test_ratings_of_more_models_than_there_may_be_series_are_added_up_by_rating(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with rated(monkeypatch, tmp_path, series_limit=2):
        for model, times in (("a", 3), ("b", 2), ("c", 1), ("d", 1)):
            for _ in range(times):
                feedback(an_answer(model), True)
        feedback(an_answer("e"), False)
        assert shown() == {("up", "a", "1.4.2"): 3, ("up", "b", "1.4.2"): 2, ("up",): 2, ("down",): 1}


def test_an_app_without_feedback_asks_no_ledger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[object] = []
    with rated(monkeypatch, tmp_path, feedback_key=""):
        monkeypatch.setattr(module, "PATIENT", Ledger(lambda: asked.append(1)))  # type: ignore[arg-type, return-value]
        monkeypatch.setattr(module._Shown, "installed", False)
        monkeypatch.setattr(module, "NOTES", {})
        monkeypatch.setattr(module.record.AUTOMATIC, "sources", {})
        view.read()
        assert asked == []
        monkeypatch.setattr(module, "NOTES", {module.IN_USE: "1"})  # another worker has given an id
        view.read()
        assert asked == [1]


def test_no_text_and_no_user_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with rated(monkeypatch, tmp_path) as events:
        feedback(an_answer(), True, user="canary-user", comment="canary-comment")
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"gpt-4o-mini" in kept
    assert b"canary" not in kept
    assert "canary" not in str(events.entries)
