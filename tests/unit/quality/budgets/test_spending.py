"""Model calls go on the accounts of those whose calls they are, at the price that the metrics show."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import threading
from contextvars import copy_context
from pathlib import Path

import pytest
from flask import Flask, request
from support.ai import watched
from support.budgets import Budgeted, budgeted
from support.flask_hooks import hooked

from otel_chatbot import chat_completion, over_budget
from otel_chatbot.metrics import deduplication
from otel_chatbot.quality.budgets.book import Subject
from otel_chatbot.semconv import metrics as m

NOW = dt.datetime(2026, 11, 28, 12, tzinfo=dt.timezone.utc).timestamp()
ROWS = "app day 20 USD; app day 9 tokens; model:gpt-4o-mini month 300 USD; user day 9 tokens; conversation day 9 tokens"
PRICES = {"gpt-4o-mini": {"input": 0.15, "output": 0.6}}
COST = 30 * 150 + 12 * 600
"""Nano-dollars of a call."""


def ask(model: str = "gpt-4o-mini") -> None:
    with chat_completion("openai", model) as call:
        call.usage(30, 12)


def spent(held: Budgeted, user: str = "", conversation: str = "") -> dict[str, int]:
    entries = held.account.book.entries(Subject(user, conversation, ("gpt-4o-mini",)), held.now)
    return dict(zip((entry.budget.name for entry in entries), held.account.spent(entries), strict=True))


@pytest.fixture
def prices(tmp_path: Path) -> str:
    path = tmp_path / "prices.json"
    path.write_text(json.dumps(PRICES))
    return str(path)


def test_a_call_is_added_to_each_budget_at_the_cost_that_the_metric_shows(tmp_path: Path, prices: str) -> None:
    with budgeted(ROWS, tmp_path, NOW, CHATBOT_OTEL_AI_PRICES=prices) as held, watched() as watch:
        ask()
        ask()
        ask("a model without a price")
        assert watch.total(m.AI_COST) == pytest.approx(2 * COST / 1e9)
        assert spent(held) == {
            "app day USD": 2 * COST,
            "app day tokens": 3 * 42,
            "model:gpt-4o-mini month USD": 2 * COST,
        }


def test_the_calls_of_a_request_go_on_the_account_of_the_user_and_conversation_that_it_names(tmp_path: Path) -> None:
    app = Flask("budgets")

    def chat() -> str:
        request.get_json()
        ask()
        return ""

    app.post("/chat")(chat)
    with budgeted(ROWS, tmp_path, NOW) as held, watched(), hooked():
        for user, conversation in (("ada", "c1"), ("ada", "c2"), ("bob", "c2")):
            app.test_client().post("/chat", json={"user_id": user, "conversation_id": conversation}).close()
        assert spent(held, "ada", "c1")["user day tokens"] == 84
        assert spent(held, "bob", "c2")["user day tokens"] == 42
        assert spent(held, "bob", "c1")["conversation day tokens"] == 42
        assert spent(held, "bob", "c2")["conversation day tokens"] == 84


def test_whom_the_app_names_goes_before_what_is_found_and_is_forgotten_with_the_request(tmp_path: Path) -> None:
    app = Flask("budgets")

    def chat(name: str) -> str:
        request.get_json(silent=True)
        if name:
            assert over_budget(user=name) is None
        ask()
        return ""

    app.post("/as/<name>")(chat)
    app.post("/", defaults={"name": ""})(chat)
    with budgeted(ROWS, tmp_path, NOW) as held, watched(), hooked():
        app.test_client().post("/as/grace", json={"user_id": "ada"}).close()
        app.test_client().post("/", json={"user_id": "ada"}).close()
        app.test_client().post("/").close()
        assert [spent(held, user)["user day tokens"] for user in ("grace", "ada")] == [42, 42]


def test_a_thread_without_a_request_says_itself_for_whom_it_asks(tmp_path: Path) -> None:
    with budgeted(ROWS, tmp_path, NOW) as held, watched():

        def job() -> None:
            over_budget(user="ada")
            ask()
            over_budget(user="bob")
            ask()
            over_budget()
            ask()

        thread = threading.Thread(target=job)
        thread.start()
        thread.join()
        assert [spent(held, user)["user day tokens"] for user in ("ada", "bob")] == [42, 42]
        assert spent(held)["app day tokens"] == 3 * 42


def test_a_stream_that_ends_in_another_thread_is_its_requests(tmp_path: Path) -> None:
    with budgeted(ROWS, tmp_path, NOW) as held, watched(), deduplication.request_scope():
        over_budget(user="ada")
        context = copy_context()
        thread = threading.Thread(target=context.run, args=(ask,))
        thread.start()
        thread.join()
        assert spent(held, "ada")["user day tokens"] == 42


def test_an_app_without_budgets_imports_nothing_of_them(tmp_path: Path) -> None:
    code = (
        "import sys, otel_chatbot; otel_chatbot.instrument()\n"
        "with otel_chatbot.chat_completion('openai', 'gpt-4o') as call: call.usage(1, 1)\n"
        "print([name for name in sys.modules if 'quality.budgets' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
