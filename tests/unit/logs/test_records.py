"""What a record says is read without changing it, redacted, and never raises."""

from __future__ import annotations

import logging
import sys
from typing import Any

import pytest
from pymongo.errors import DuplicateKeyError

from otel_chatbot import _wiring, config
from otel_chatbot.logs import records
from otel_chatbot.logs.redaction import Redactor


def record(
    message: Any, arguments: Any = (), /, name: str = "shop", level: int = logging.INFO, **extra: Any
) -> logging.LogRecord:
    made = logging.LogRecord(name, level, "f.py", 1, message, None, None)
    made.args = arguments
    made.__dict__.update(extra)
    return made


def failed(error: Exception) -> logging.LogRecord:
    try:
        raise error
    except Exception:
        return record("failed", exc_info=sys.exc_info())


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1_700_000_000.1239, "2023-11-14T22:13:20.123Z"),
        (1_700_000_000.0, "2023-11-14T22:13:20.000Z"),
    ],
)
def test_a_time_is_utc_in_milliseconds(seconds: float, text: str) -> None:
    assert records.timestamp(seconds) == text


@pytest.mark.parametrize(
    ("template", "arguments", "text"),
    [
        ("%s of %d", ("1", 2), "1 of 2"),
        ("100%", (), "100%"),
        ("%d", ("x",), "%d [not formatted, TypeError: ['x']]"),
        ("%s: %s", ("save", DuplicateKeyError("alice", 11000)), "save: DuplicateKeyError (code 11000)"),
        (DuplicateKeyError("alice"), (), "DuplicateKeyError"),
        ("%(a)s", {"a": 1}, "1"),
    ],
)
def test_a_message_is_formatted_and_wrong_arguments_stand_behind_it(template: Any, arguments: Any, text: str) -> None:
    assert records.message(record(template, arguments)) == text


@pytest.mark.parametrize(
    ("name", "level", "kept"),
    [
        ("pymongo.command", logging.DEBUG, False),
        ("openai._base_client", logging.DEBUG, False),
        ("pymongo.command", logging.INFO, True),
        ("pymongo.topology", logging.DEBUG, True),
    ],
)
def test_what_a_client_writes_of_content_is_left_out_unless_content_is_kept(
    name: str, level: int, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = record("a document", name=name, level=level)
    assert (records.message(made) == "a document") is kept
    monkeypatch.setattr(config, "current", lambda: config.Settings(capture_content=True))
    assert records.message(made) == "a document"


def test_extras_are_the_applications_own_redacted_and_named_apart_from_ours() -> None:
    made = record("m", user="to alice@example.com", password="p", timestamp="t", otelTraceID="7", taskName="task")
    assert records.extras(made, Redactor()) == {"user": "to ****", "password": "****", "timestamp_": "t"}


def test_an_exception_says_type_message_and_stack_and_a_queues_text_its_stack_alone() -> None:
    found = records.exception(failed(ValueError("to alice@example.com")), Redactor())
    assert found is not None
    assert (found["type"], found["message"]) == ("ValueError", "to ****")
    assert found["stack"].startswith("Traceback")
    assert found["stack"].endswith("ValueError: to ****")
    assert records.exception(record("m", exc_text="Traceback: text"), Redactor()) == {"stack": "Traceback: text"}
    assert records.exception(record("m"), Redactor()) is None
    assert records.exception(record("m", exc_info=(None, None, None)), Redactor()) is None


def test_a_safe_copy_has_no_arguments_no_exception_and_no_extras_and_the_record_stays() -> None:
    made = failed(ValueError("bad"))
    made.__dict__.update(user="u1", stack_info="at alice@example.com", levelname="\x1b[31mINFO\x1b[0m")
    before = dict(vars(made))
    copy = records.safe_copy(made, Redactor())
    assert (copy.getMessage(), copy.args, copy.exc_info, copy.levelname) == ("failed", None, None, "INFO")
    assert copy.exc_text is not None
    assert copy.exc_text.endswith("ValueError: bad")
    assert copy.stack_info == "at ****"
    assert not hasattr(copy, "user")
    assert vars(made) == before


def test_an_exported_record_has_extras_the_exceptions_attributes_and_the_conversation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_wiring, "CONVERSATION", lambda: "c-1")
    made = failed(ValueError("bad"))
    made.user = "u1"
    copy = vars(records.export_copy(made, Redactor()))
    assert (copy["user"], copy["gen_ai.conversation.id"]) == ("u1", "c-1")
    assert (copy["exception.type"], copy["exception.message"], copy["exc_text"]) == ("ValueError", "bad", None)
    assert copy["exception.stacktrace"].endswith("ValueError: bad")


def test_refused_names_get_underscores_until_they_are_free() -> None:
    given = {"name": 1, "message": 2, "own": 3}
    assert records.rename_refused(given, {"own": 0, "name_": 4}) == {
        "own": 0,
        "name_": 4,
        "name__": 1,
        "message_": 2,
        "own_": 3,
    }
