"""The guard of a view: what a client is answered, and that the view does not run."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from flask import Flask, request
from support import ledgers
from support.ai import watched
from support.budgets import budgeted
from support.flask_hooks import hooked
from support.process import free_port

from otel_chatbot import budget_guard, chat_completion, over_budget

NOON = dt.datetime(2026, 11, 28, 12, tzinfo=dt.timezone.utc).timestamp()
RAN: list[str] = []


def chat() -> str:
    RAN.append("plain")
    return "answer"


async def chat_async() -> str:
    RAN.append("async")
    return "answer"


@pytest.fixture
def app() -> Flask:
    RAN.clear()
    app = Flask("guarded")
    by_header = budget_guard(user=lambda: request.headers.get("X-Who"), model="gpt-4o")
    app.get("/plain")(by_header(chat))
    app.get("/async")(by_header(chat_async))
    return app


@pytest.mark.parametrize("path", ["/plain", "/async"])
def test_a_client_is_told_which_budget_is_used_up_and_until_when(app: Flask, path: str, tmp_path: Path) -> None:
    client = app.test_client()
    with budgeted("user day 10 tokens; model:gpt-4o month 50 tokens", tmp_path, NOON), watched():
        over_budget(user="ada")
        with chat_completion("openai", "gpt-4o") as call:
            call.usage(12, 0)
        answer = client.get(path, headers={"X-Who": "ada"})
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, str(12 * 3600))
        assert answer.json == {
            "error": "over_budget",
            "budget": "user day tokens",
            "scope": "user",
            "unit": "tokens",
            "limit": 10.0,
            "spent": 12.0,
            "resets_at": "2026-11-29T00:00:00+00:00",
        }
        assert RAN == []
        assert client.get(path, headers={"X-Who": "bob"}).text == "answer"
        assert [path[1:]] == RAN


def test_a_client_may_come_back_in_a_moment_where_nobody_can_tell_what_was_spent(app: Flask, tmp_path: Path) -> None:
    away = ledgers.ledger("redis", f"redis://127.0.0.1:{free_port()}/0")
    with budgeted("user day 10 tokens", tmp_path, NOON, ledger=away, CHATBOT_OTEL_BUDGET_LEDGER_AWAY="closed"):
        answer = app.test_client().get("/plain", headers={"X-Who": "ada"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.json["error"] == "spending_unknown"
    assert RAN == []


def test_the_user_whom_a_json_body_names_is_found_before_the_view_runs(tmp_path: Path) -> None:
    app = Flask("guarded")
    guarded = app.post("/chat")(budget_guard()(lambda: request.get_json()["text"]))
    assert guarded is not None
    with budgeted("user day 10 tokens", tmp_path, NOON), watched(), hooked():
        over_budget(user="ada")
        with chat_completion("openai", "gpt-4o") as call:
            call.usage(10, 0)
        ada, bob = (app.test_client().post("/chat", json={"user_id": user, "text": "hello"}) for user in ("ada", "bob"))
        assert (ada.status_code, bob.status_code, bob.text) == (429, 200, "hello")
        assert app.test_client().post("/chat", data="{", content_type="application/json").status_code == 400


def test_a_guarded_view_keeps_its_name(app: Flask) -> None:
    assert {"chat", "chat_async"} <= set(app.view_functions)
