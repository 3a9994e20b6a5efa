"""What a question costs does not follow from how much there is: counted in SQLite's own steps, not in seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.viewer import batch_of, chat, log_request, store, trace_request

from otel_chatbot.ui.queries import conversations, logs, traces
from otel_chatbot.ui.store import Store

QUESTIONS: dict[str, Callable[[Any], Any]] = {
    "traces": lambda db: traces.traces(db, traces.Wanted()),
    "failed traces": lambda db: traces.traces(db, traces.Wanted(failed=True)),
    "traces by text": lambda db: traces.traces(db, traces.Wanted(text="word7")),
    "routes": traces.routes,
    "conversations": lambda db: conversations.conversations(db, conversations.Wanted()),
    "a conversation": lambda db: conversations.conversation(db, "talk-7"),
    "log records": lambda db: logs.logs(db, logs.Wanted()),
    "errors in the log": lambda db: logs.logs(db, logs.Wanted(level=17)),
    "log records by text": lambda db: logs.logs(db, logs.Wanted(text="line")),
}


def filled(folder: Path, turns: int) -> Store:
    folder.mkdir()
    one = store(folder, 1 << 32)
    for first in range(1, turns, 400):
        spans: list[Any] = []
        for number in range(first, first + 400):
            turn = chat(number, number, conversation=f"talk-{number // 2}", failed=number % 4 == 0)
            turn[0]["attributes"]["said"] = f"word{number % 100}"
            spans += turn
        records = (
            {"body": f"line {number}", "at": number, "level": 17 if number % 4 == 0 else 9}
            for number in range(first, first + 400)
        )
        one.write(batch_of(trace_request(*spans), log_request(*records)))
    return one


def steps(one: Store, ask: Callable[[Any], Any]) -> int:
    """How many hundreds of its steps SQLite takes."""
    taken = 0

    def count() -> int:
        nonlocal taken
        taken += 1
        return 0

    with one.reading() as db:
        db.set_progress_handler(count, 100)
        ask(db)
        db.set_progress_handler(None, 0)
    return taken


@pytest.mark.timeout(1200)
def test_ten_times_as_many_rows_cost_a_question_at_most_three_times_as_much(tmp_path: Path, scale: int) -> None:
    few, many = filled(tmp_path / "few", 400 * scale), filled(tmp_path / "many", 4_000 * scale)
    costs = {name: (steps(few, ask), steps(many, ask)) for name, ask in QUESTIONS.items()}
    few.close()
    many.close()
    assert {name: cost for name, cost in costs.items() if cost[1] > 3 * cost[0] + 5} == {}
