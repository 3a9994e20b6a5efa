"""A trace in a terminal: a waterfall with log lines and exceptions in their places."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.viewer import batch_of, chat, log_request, store, trace_request

from otel_chatbot.ui.queries import traces
from otel_chatbot.ui.top.state import State
from otel_chatbot.ui.top.trace import lines


@pytest.fixture
def found(tmp_path: Path) -> Any:
    kept = store(tmp_path)
    spans = chat(7, 1)
    spans[2]["events"] = [("exception", {"exception.type": "ValueError", "exception.message": "no\x1b[31m"})]
    kept.write(batch_of(trace_request(*spans), log_request({"body": "a line", "trace": 7, "span": 1, "at": 1.3, "level": 17})))
    with kept.reading() as db:
        one = traces.trace(db, (7).to_bytes(16, "big"))
    kept.close()
    return one


def test_spans_lines_and_exceptions_stand_in_the_order_of_time(found: Any) -> None:
    shown = [line.plain for line in lines(found, State(trace="x"), 100, 20)]
    assert [text.split("  █")[0].strip()[:14] for text in shown[1:4]] == ["POST /chat", "shop.find", "chat gpt-4o-mi"]
    assert shown[1].endswith("500 ms")
    assert shown[2].startswith("  shop.find")
    assert "exception: ValueError no·[31m" in shown[4]
    assert "shop.views: a line" in shown[5]
    assert [shown[at].count("█") for at in (1, 2, 3)] == [45, 1, 40], "as long as they took"
    assert len(shown) == 20


def test_scrolling_ends_with_the_last_line(found: Any) -> None:
    shown = [line.plain for line in lines(found, State(trace="x", scroll=1_000), 100, 3)]
    assert "a line" in shown[-1]


def test_a_trace_that_is_gone_says_so_and_a_loop_of_parents_ends(found: Any) -> None:
    assert "no such trace" in lines(None, State(), 100, 3)[0].plain
    for span in found["spans"]:
        span["parent"] = span["span"]
    assert len(lines(found, State(), 100, 20)) == 20
