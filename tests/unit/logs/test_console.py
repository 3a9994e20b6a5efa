"""The console shows the records of our loggers where nothing else does, and no other record in another way than before."""

from __future__ import annotations

import io
import logging

import pytest

from otel_chatbot.logs.console import ConsoleHandler, LastResort, show, show_no_more


@pytest.fixture
def before(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What `logging.lastResort` wrote to before; a handler of its own stands there, and comes back."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setLevel(logging.WARNING)
    monkeypatch.setattr(logging, "lastResort", handler)
    return stream


def handle(name: str, level: int, message: str) -> None:
    assert logging.lastResort is not None
    logging.lastResort.handle(logging.LogRecord(name, level, "f.py", 1, message, None, None))


def test_records_of_a_shown_logger_and_its_children_are_ours_and_others_go_where_they_went(
    before: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    show("shop", production=False)
    for name in ("shop", "shop.cart", "shopping"):
        handle(name, logging.INFO, f"info of {name};")
        handle(name, logging.ERROR, f"error of {name};")
    shown = capsys.readouterr().err
    assert [text in shown for text in ("info of shop;", "error of shop.cart;", "of shopping;")] == [True, True, False]
    assert before.getvalue() == "error of shopping;\n"


def test_the_console_is_where_stderr_points_at_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    handler = ConsoleHandler(production=True)
    later = io.StringIO()
    monkeypatch.setattr("sys.stderr", later)
    handler.emit(logging.LogRecord("a", logging.INFO, "f.py", 1, "late", None, None))
    assert '"message":"late"' in later.getvalue()


def test_a_second_logger_joins_the_first_and_all_is_as_before_at_the_end(before: io.StringIO) -> None:
    original = logging.lastResort
    show("one", production=False)
    resort = logging.lastResort
    show("two", production=False)
    assert logging.lastResort is resort
    assert isinstance(resort, LastResort)
    assert resort.loggers == {"one", "two"}
    show_no_more()
    assert logging.lastResort is original
    show_no_more()
    assert logging.lastResort is original


def test_access_records_are_never_shown_and_an_app_that_took_the_last_resort_away_means_it(
    before: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = logging.lastResort
    show("chatbot.access", production=False)
    assert logging.lastResort is original
    monkeypatch.setattr(logging, "lastResort", None)
    show("shop", production=False)
    assert logging.lastResort is None
