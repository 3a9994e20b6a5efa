"""A record whose message is a dictionary, or which carries one, becomes a text and fields; the record itself stays as it is."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from otel_chatbot.logs.dictionaries import unfolded
from otel_chatbot.logs.redaction import Redactor

STANDARD = set(vars(logging.makeLogRecord({})))


def record(message: Any, /, **extra: Any) -> logging.LogRecord:
    made = logging.LogRecord("shop", logging.INFO, "f.py", 1, message, None, None)
    made.__dict__.update(extra)
    return made


def read(made: logging.LogRecord) -> tuple[object, dict[str, object]]:
    """Message and fields of what it becomes."""
    before = dict(vars(made))
    copy = unfolded(made, Redactor())
    assert vars(made) == before
    return copy.msg, {key: value for key, value in vars(copy).items() if key not in STANDARD}


def test_a_record_of_a_text_is_passed_on_itself() -> None:
    made = record("text", user="u1")
    assert unfolded(made, Redactor()) is made


@pytest.mark.parametrize(
    ("given", "text", "fields"),
    [
        ({"message": "m", "n": 1}, "m", {"n": 1}),
        ({"event": "e", "message": "m"}, "m", {"event": "e"}),
        ({"event": "e", "level": "info", "logger": "shop"}, "e", {}),
        ({"event": "e", "level": "error", "logger": "other"}, "e", {"level": "error", "logger": "other"}),
        ({"msg": "m", "name": "n"}, "m", {"name_": "n"}),
        ({"n": 1, "password": "p"}, "{'n': 1, 'password': '****'}", {"n": 1, "password": "p"}),
        ({"msg": "m", 7: "seven"}, "m", {"7": "seven"}),
        ({"msg": "m", "_record": 1, "_from_structlog": True}, "m", {}),
    ],
)
def test_a_dictionary_gives_its_text_and_its_items(given: Any, text: str, fields: dict[str, object]) -> None:
    assert read(record(given)) == (text, fields)


def test_structlogs_event_goes_before_a_message() -> None:
    given = {"event": "e", "message": "m"}
    assert read(record(given, _logger=object(), _name="info")) == ("e", {"message_": "m"})


def test_of_logurus_record_only_what_was_bound_becomes_fields() -> None:
    given = dict.fromkeys(("elapsed", "level", "time", "file", "process"), "theirs")
    assert read(record({**given, "message": "m", "extra": {"user": "u1"}})) == ("m", {"user": "u1"})


def test_a_bound_dictionary_beside_a_text_becomes_fields() -> None:
    assert read(record("text", extra={"user": "u1"}, level="info")) == ("text", {"user": "u1"})


def test_an_exception_in_the_dictionary_becomes_the_records() -> None:
    error = ValueError("bad")
    copy = unfolded(record({"event": "e", "exc_info": error, "stack": "Stack: here"}), Redactor())
    assert copy.exc_info is not None
    assert copy.exc_info[:2] == (ValueError, error)
    assert copy.stack_info == "Stack: here"
    assert "exc_info" in vars(copy)
    assert unfolded(record({"event": "e", "exception": "Traceback: text"}), Redactor()).exc_text == "Traceback: text"


def test_the_records_own_exception_goes_before_the_dictionarys() -> None:
    own = ValueError("own")
    made = record({"event": "e", "exc_info": KeyError("theirs")})
    made.exc_info = (ValueError, own, None)
    copy = unfolded(made, Redactor())
    assert copy.exc_info == (ValueError, own, None)


def test_beyond_two_hundred_items_the_rest_is_counted() -> None:
    _, fields = read(record({"event": "e", **{f"k{n}": n for n in range(201)}}))
    assert fields["..."] == "<2 left out>"
    assert (fields["k198"], "k199" in fields) == (198, False)


def test_a_dictionary_that_cannot_be_read_leaves_the_record_as_it_is() -> None:
    class Hostile(dict[str, object]):
        def items(self) -> Any:
            raise OSError("gone")

    made = record(Hostile(a=1))
    assert unfolded(made, Redactor()) is made
