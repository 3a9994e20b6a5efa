"""`POST /feedback`: taken, or refused with a status and a reason, whatever a client sends and however often."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from support import ledgers
from support.databases import Figures
from support.flask_hooks import hooked
from support.rated import Events, rated
from werkzeug.test import TestResponse

from otel_chatbot import create_feedback_blueprint
from otel_chatbot.quality import feedback, views
from otel_chatbot.semconv import metrics as m

from .test_feedback import an_answer


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Events]:
    with rated(monkeypatch, tmp_path) as made:
        monkeypatch.setattr(views, "PATIENT", feedback.PATIENT)
        yield made


def app(**options: Any) -> Flask:
    made = Flask("toy")
    made.register_blueprint(create_feedback_blueprint(**options))
    return made


def post(to: Flask, body: Any, address: str = "192.0.2.1", **headers: str) -> TestResponse:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return to.test_client().post("/feedback", data=data, headers=headers, environ_overrides={"REMOTE_ADDR": address})


@pytest.mark.parametrize(
    ("given", "rating"),
    [
        ({"score": True}, "up"), ({"score": "down"}, "down"), ({"score": 1}, "0.8-1.0"), ({"score": 0}, "0.0-0.2"),
        ({"score": 0.5}, "0.4-0.6"), ({"stars": 1}, "1"), ({"stars": 5, "label": None, "comment": None}, "5"),
    ],
)  # fmt: skip
def test_a_rating_is_taken_in_any_scale(events: Events, given: dict[str, object], rating: str) -> None:
    answer = post(app(), {"answer_id": an_answer(), **given})
    assert (answer.status_code, answer.json) == (200, {"result": "counted"})
    assert answer.headers["Cache-Control"] == "no-store"
    assert events.fields[0]["chatbot.feedback.rating"] == rating


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "JSON"), (b"{", "JSON"), (b"[" * 9000, "JSON"), (b"\xff", "JSON"), ([], "object"), ("text", "object"),
        ({"score": True}, "answer_id"), ({"answer_id": "x"}, "either"), ({"answer_id": "x", "score": 1, "stars": 1}, "either"),
        ({"answer_id": "x", "score": 2}, "expected"), ({"answer_id": "x", "stars": 6}, "expected"),
        ({"answer_id": "x", "stars": True}, "stars"), ({"answer_id": "x", "stars": 1.0}, "stars"),
        ({"answer_id": "x", "score": None}, "expected"), ({"answer_id": "x", "score": []}, "expected"),
        ({"answer_id": "x", "score": True, "label": "rude"}, "label"), ({"answer_id": "x", "score": True, "label": []}, "label"),
        ({"answer_id": "x", "score": True, "comment": "x" * 5000}, "comment"),
        ({"answer_id": "x", "score": True, "comment": ["x"]}, "comment"),
    ],
)  # fmt: skip
def test_a_body_that_is_no_rating_is_told_what_is_wrong(events: Events, body: Any, reason: str) -> None:
    answer = post(app(), body)
    assert answer.status_code == 400
    assert answer.json is not None
    assert answer.json["result"] == "invalid"
    assert reason in answer.json["error"]
    assert events.entries == []


def test_ids_that_are_not_valid_are_refused_each_with_its_status(events: Events) -> None:
    ids = {"forged": "x", "foreign": an_answer(key="the key of another app"), "expired": an_answer(age=91 * 86400)}
    answers = {name: post(app(), {"answer_id": each, "score": True}) for name, each in ids.items()}
    assert {name: answer.status_code for name, answer in answers.items()} == {"forged": 400, "foreign": 403, "expired": 410}
    for name, answer in answers.items():
        assert answer.json is not None
        assert answer.json["result"] == name
        assert answer.json["error"]


def test_a_large_body_is_not_read(events: Events) -> None:
    assert post(app(), b"x" * (views.MOST_BYTES + 1)).status_code == 413
    assert post(app(), b"", **{"Transfer-Encoding": "chunked"}).status_code == 411
    longest = {"answer_id": an_answer(), "score": True, "comment": "\U0001f600" * views.LONGEST_COMMENT}
    assert post(app(), longest).status_code == 200


def test_a_client_that_sends_too_many_is_told_when_to_come_again(events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views.time, "time", lambda: 1_800_000_015.0)
    seen, limited = Figures(), app(per_minute=3)
    statuses = [post(limited, {"answer_id": "x", "score": True}).status_code for _ in range(5)]
    assert statuses == [400, 400, 400, 429, 429]
    answer = post(limited, {"answer_id": "x", "score": True})
    assert answer.json == {"result": "limited", "error": "too many ratings; please send it again later"}
    assert answer.headers["Retry-After"] == "45"
    assert post(limited, {"answer_id": "x", "score": True}, "192.0.2.2").status_code == 400
    assert seen.series(m.FEEDBACK_REFUSED)["limited",] == 3
    monkeypatch.setattr(views.time, "time", lambda: 1_800_000_060.0)
    assert post(limited, {"answer_id": "x", "score": True}).status_code == 400


def test_clients_of_one_ipv6_network_are_one_and_of_two_are_two(events: Events) -> None:
    limited = app(per_minute=1)
    addresses = ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "::ffff:192.0.2.9", "::ffff:192.0.2.8", "", "odd")
    statuses = [post(limited, {"answer_id": "x", "score": True}, address).status_code for address in addresses]
    assert statuses == [400, 429, 400, 400, 400, 400, 400]


def test_without_a_limit_any_number_is_taken(events: Events) -> None:
    unlimited, answer = app(per_minute=0), an_answer()
    results = [post(unlimited, {"answer_id": answer, "score": True}).json for _ in range(100)]
    assert [each["result"] for each in results] == ["counted", *["unchanged"] * 99]  # type: ignore[index]


def test_who_rates_is_whom_the_request_names_or_whom_the_app_says(events: Events) -> None:
    answer = an_answer()
    rating = {"answer_id": answer, "score": True}
    with hooked():
        by_header = [post(app(), rating, **{"X-User-Id": name}).json for name in ("ada", "bob", "ada")]
        by_body = [
            post(app(), {**rating, "user_id": name}, **{"Content-Type": "application/json"}).json for name in ("ada", "cyd")
        ]
    assert [each["result"] for each in by_header] == ["counted", "counted", "unchanged"]  # type: ignore[index]
    assert [each["result"] for each in by_body] == ["unchanged", "counted"]  # type: ignore[index]
    named = [post(app(user=lambda: "dan"), rating, **{"X-User-Id": name}).json for name in ("eve", "fay")]
    assert [each["result"] for each in named] == ["counted", "unchanged"]  # type: ignore[index]


def test_a_label_is_one_that_the_app_has_named(events: Events) -> None:
    rating = {"answer_id": an_answer(), "score": False, "label": "wrong"}
    assert post(app(labels=["wrong", "rude"]), rating).status_code == 200
    assert events.fields[0]["gen_ai.evaluation.score.label"] == "wrong"


def test_while_the_ledger_is_away_the_client_is_asked_to_send_it_again(
    events: Events, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    away = ledgers.ledger("sqlite", str(tmp_path / "file" / "ledger"))
    for module in (views, feedback):
        monkeypatch.setattr(module, "PATIENT", away)
    answer = post(app(), {"answer_id": an_answer(), "score": True})
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0


def test_the_path_is_the_apps_choice_and_get_is_refused(events: Events) -> None:
    made = app(path="/api/rate")
    client = made.test_client()
    assert client.post("/api/rate", json={"answer_id": an_answer(), "score": True}).status_code == 200
    assert client.get("/api/rate").status_code == 405
    assert client.post("/feedback").status_code == 404


@pytest.fixture
def telling(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The setting that tells clients the ids of answers."""
    with rated(monkeypatch, tmp_path, feedback_header="X-Answer-Id"):
        monkeypatch.setattr(views, "PATIENT", feedback.PATIENT)
        yield


def test_where_clients_are_told_the_ids_ratings_are_taken_without_a_line_of_code(telling: None) -> None:
    rating = {"answer_id": an_answer(), "score": True}
    with hooked() as watch:
        assert post(Flask("toy"), rating).json == {"result": "counted"}
        assert Flask("toy").test_client().get("/feedback").status_code == 405
    assert ("POST", "/feedback", 200) in watch.counted(m.API_REQUESTS), "it is traffic of the app"


@pytest.mark.parametrize("late", [False, True])
def test_the_apps_own_route_for_ratings_wins(telling: None, late: bool) -> None:
    made = Flask("toy")
    with hooked():
        if late:
            made.test_client().get("/")
            made._got_first_request = False
        made.post("/feedback")(lambda: "the app's own")
        assert post(made, {}).text == "the app's own"


def test_where_the_app_takes_ratings_elsewhere_there_is_no_second_place(telling: None) -> None:
    with hooked():
        assert post(app(path="/rate"), {}).status_code == 404


def test_without_the_setting_nothing_is_mounted(events: Events) -> None:
    with hooked():
        assert post(Flask("toy"), {}).status_code == 404
