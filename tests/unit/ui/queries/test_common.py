"""What a question of the pages costs: it does not grow with the tables. Counted in steps of SQLite, which are the same everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.viewer import batch_of, chat, log_request, store, trace_request

from otel_chatbot.ui.api import Api
from otel_chatbot.ui.store import Store

TURNS = 500
TIMES = 8
PART = 250
QUESTIONS: dict[str, dict[str, str]] = {
    "traces": {},
    "traces?failed": {"failed": "1"},
    "traces?status": {"status": "5"},
    "traces?route": {"route": "/chat"},
    "traces?slow": {"slow": "100"},
    "traces?text": {"text": "mongodb"},
    "traces?beginning": {"text": "tal"},
    "traces?attribute": {"attribute": "db.collection.name", "value": "messages"},
    "conversations": {},
    "conversations?user": {"user": "somebody"},
    "conversations?failed": {"failed": "1"},
    "conversations?text": {"text": "mongodb"},
    "conversations/talk-7": {},
    "logs": {},
    "logs?level": {"level": "17"},
    "logs?text": {"text": "line"},
    "logs?trace": {"trace": f"{7:032x}"},
    "logs?logger": {"logger": "shop"},
    "errors": {},
    "turns": {},
    "routes": {},
    f"traces/{7:032x}": {},
}
"""Each has a full page of answers, where there are pages, in the smaller file already."""


def filled(folder: Path, turns: int) -> Store:
    kept = store(folder, 1 << 30)
    for first in range(0, turns, PART):
        spans: list[Any] = []
        lines: list[Any] = []
        for number in range(first + 1, first + PART + 1):
            spans += chat(number, number, conversation=f"talk-{number}", failed=number % 4 == 0)
            spans[-3]["attributes"]["user.hash"] = "somebody"
            lines.append({"body": f"line {number}", "trace": number, "level": 17 if number % 2 else 9, "at": number})
        kept.write(batch_of(trace_request(*spans), log_request(*lines)))
    return kept


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, scale: int) -> Iterator[list[Store]]:
    found = [filled(tmp_path_factory.mktemp("growth"), TURNS * times) for times in (1, TIMES * scale)]
    yield found
    for one in found:
        one.close()


class Watched(Api):
    """An API that counts SQLite's steps and keeps its statements."""

    def __init__(self, kept: Store) -> None:
        super().__init__(kept, dict, dict)
        self.kept = kept

    def cost(self, question: str) -> tuple[int, list[str]]:
        steps = 0
        said: list[str] = []

        def step() -> int:
            nonlocal steps
            steps += 1
            return 0

        with self.kept.reading() as db:
            db.set_progress_handler(step, 1)
            db.set_trace_callback(said.append)
        assert self.answer(f"/api/{question.partition('?')[0]}", QUESTIONS[question])
        with self.kept.reading() as db:
            db.set_progress_handler(None, 0)
            db.set_trace_callback(None)
        return steps, [text for text in said if text.startswith("SELECT")]


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_takes_about_as_many_steps_of_a_larger_file(files: list[Store], question: str) -> None:
    small, large = (Watched(one).cost(question)[0] for one in files)
    assert 0 < small <= 200_000
    assert large <= 2 * small, "the table grew, and so did the question"


def test_no_question_reads_a_whole_table(files: list[Store]) -> None:
    """The plans that SQLite makes: each table is reached through an index or by number, never from one end to the other."""
    plans = {text for question in QUESTIONS for text in Watched(files[0]).cost(question)[1]}
    scans = ("SCAN span", "SCAN log", "SCAN conversation", "SCAN problem")
    with files[0].reading() as db:
        found = [(row[3], said) for said in plans for row in db.execute(f"EXPLAIN QUERY PLAN {said}") if row[3] in scans]
    assert len(plans) > 20
    assert found == []
