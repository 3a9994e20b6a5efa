"""A JSON line stays one valid line, and the application never sees an error, whatever a record holds."""

from __future__ import annotations

import datetime as dt
import json
import logging
import sys
import threading
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace

from otel_chatbot.logs import json_lines
from otel_chatbot.logs.formatters import ColoredFormatter, JsonFormatter, TextFormatter
from otel_chatbot.logs.records import export_copy
from otel_chatbot.logs.redaction import Redactor

FORMATTER = JsonFormatter(redactor=Redactor())


class Hostile:
    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__


def record(message: Any = "hello", *args: Any, exc_info: Any = None, **extra: Any) -> logging.LogRecord:
    made = logging.LogRecord("app.chat", logging.INFO, "/srv/app/chat.py", 12, message, args, exc_info, "answer")
    made.__dict__.update(extra)
    return made


def line(made: logging.LogRecord) -> dict[str, Any]:
    text = FORMATTER.format(made)
    assert len(text.splitlines()) == 1
    text.encode("utf-8")

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    parsed: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return parsed


def test_a_line_says_when_where_and_what() -> None:
    made = record("%s messages", 3, user_id="u1")
    made.created = 1700000000.1239
    assert line(made) == {
        "timestamp": "2023-11-14T22:13:20.123Z",
        "level": "INFO",
        "logger": "app.chat",
        "message": "3 messages",
        "module": "chat",
        "function": "answer",
        "line": 12,
        "process_id": made.process,
        "user_id": "u1",
    }


def test_extras_can_be_left_out() -> None:
    text = JsonFormatter(include_extra=False, redactor=Redactor()).format(record(user_id="u1"))
    assert "user_id" not in json.loads(text)


def test_ids_are_hexadecimal_inside_a_span_and_absent_outside() -> None:
    context = trace.SpanContext(0x0AF7651916CD43DD8448EB211C80319C, 0x00AD6B7169203331, is_remote=False)
    with trace.use_span(trace.NonRecordingSpan(context)):
        inside = line(record())
    assert inside["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert inside["span_id"] == "00ad6b7169203331"
    assert not {"trace_id", "span_id"} & line(record()).keys()


def test_an_exception_has_type_message_and_stack_with_its_cause() -> None:
    try:
        try:
            int("x")
        except ValueError as cause:
            raise KeyError("missing") from cause
    except KeyError:
        found = line(record(exc_info=sys.exc_info()))["exception"]
    assert found["type"] == "KeyError"
    assert found["message"] == "'missing'"
    assert "invalid literal for int()" in found["stack"]
    assert "direct cause" in found["stack"]
    assert found["stack"].endswith("KeyError: 'missing'")


def test_exc_info_without_an_exception_adds_no_field() -> None:
    assert "exception" not in line(record(exc_info=(None, None, None)))
    assert "exception" not in line(record(exc_info=True))


@pytest.mark.parametrize("name", ["timestamp", "level", "logger", "trace_id", "span_id", "exception", "line", "process_id"])
def test_an_extra_named_like_a_field_of_ours_is_kept_under_another_name(name: str) -> None:
    found = line(record(**{name: "theirs", f"{name}_": "taken"}))
    assert found.get(name) != "theirs"
    assert {found[f"{name}_"], found[f"{name}__"]} == {"theirs", "taken"}


def test_wrong_format_arguments_are_shown_and_raise_nothing() -> None:
    assert line(record("%d left", "x"))["message"] == "%d left [not formatted, TypeError: ['x']]"
    assert line(record("%s and %s", "one"))["message"].startswith("%s and %s [not formatted")
    assert line(record("100%", "x"))["message"].startswith("100%")


def test_line_ends_in_a_message_do_not_end_the_line() -> None:
    message = "a\r\nb\u2028c\u2029d\x85e\x0bf\x1cg"
    assert line(record(message))["message"] == message


def test_what_json_cannot_hold_becomes_text() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    found = line(
        record(
            nan=float("nan"),
            inf=[float("-inf")],
            big=2**70,
            huge=1 << 100_000,
            surrogate="a\ud800b",
            cycle=cycle,
            hostile=Hostile(),
            raw=b"\xff\x00ok",
            when=dt.datetime(2026, 1, 2, tzinfo=dt.timezone.utc),
            day=dt.date(2026, 1, 2),
            price=Decimal("9.99"),
            uuid=UUID(int=5),
            keys={1: "a", (2, 3): "b", Hostile(): "c", None: "d"},
            some={1},
            lock=threading.Lock(),
        )
    )
    assert found["nan"] == "nan"
    assert found["inf"] == ["-inf"]
    assert found["big"] == str(2**70)
    assert found["huge"] == "<number of 100001 bits>"
    assert found["surrogate"] == "a\\ud800b"
    assert found["cycle"] == ["<cycle>"]
    assert found["hostile"] == "<unprintable Hostile: ValueError>"
    assert found["raw"] == "\\xff\x00ok"
    assert found["when"] == "2026-01-02T00:00:00+00:00"
    assert found["day"] == "2026-01-02"
    assert found["price"] == "9.99"
    assert found["keys"]["1"] == "a"
    assert found["some"] == [1]


def test_a_deep_or_huge_value_is_cut_and_says_so() -> None:
    deep: Any = "end"
    for _ in range(5000):
        deep = [deep]
    found = line(
        record(deep=deep, wide=list(range(10_000)), long="x" * 1_000_000, many={str(i): "y" * 1000 for i in range(5000)})
    )
    assert "<list left out>" in json.dumps(found["deep"])
    assert found["wide"][-1] == "<9800 left out>"
    assert found["long"].endswith("characters left out")
    assert len(json.dumps(found)) < 400_000


def test_a_line_of_very_many_extras_stays_below_its_limit() -> None:
    text = FORMATTER.encode(record(**{f"k{i}": "z" * 2000 for i in range(2000)}))
    assert len(text) < 1024 * 1024
    json.loads(text)


def test_a_record_that_no_calendar_knows_is_still_a_line() -> None:
    made = record()
    made.created = float("nan")
    assert "could not be formatted" in line(made)["message"]


def test_formatting_leaves_the_record_as_it_was() -> None:
    made = record("%s", "x", password="p", nested={"token": "t"})
    before = dict(made.__dict__)
    line(made)
    assert made.__dict__ == before
    assert made.nested == {"token": "t"}  # type: ignore[attr-defined]


def test_secrets_are_masked_in_message_extras_exception_and_stack_info() -> None:
    try:
        raise ValueError("for alice@example.com")
    except ValueError:
        made = record(
            "key %s", "sk-proj-abcdefghijkl", exc_info=sys.exc_info(), password="hunter2", nested={"api_key": "k", "n": 1}
        )
    made.stack_info = "Stack: bob@example.com"
    text = FORMATTER.format(made)
    for secret in ("alice@", "bob@", "sk-proj", "hunter2"):
        assert secret not in text
    assert json.loads(text)["nested"] == {"api_key": "****", "n": 1}
    assert json.loads(text)["exception"]["message"] == "for ****"


JSON_LIKE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
    | st.binary()
    | st.datetimes()
    | st.builds(Hostile)
    | st.decimals(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text() | st.integers() | st.none(), inner, max_size=4)
        | st.tuples(inner)
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(
    message=JSON_LIKE,
    arguments=st.lists(JSON_LIKE, max_size=3),
    extra=st.dictionaries(st.text(st.characters(exclude_categories=())), JSON_LIKE, max_size=4),
)
def test_any_record_is_one_valid_line(message: Any, arguments: list[Any], extra: dict[str, Any]) -> None:
    made = record(message, *arguments)
    made.__dict__.update({key: value for key, value in extra.items() if key not in made.__dict__})
    assert line(made)["logger"] == "app.chat"
    TextFormatter(redactor=Redactor()).format(made)
    ColoredFormatter(color=True, redactor=Redactor()).format(made)
    export_copy(made, Redactor()).getMessage()


ORDINARY = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=50, deadline=None)
@given(value=ORDINARY)
def test_the_standard_encoder_writes_the_same_as_orjson(value: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        ours = json_lines.encode({"value": value})
        patch.setattr(json_lines, "_dumps", lambda fields: json.dumps(fields, allow_nan=False).encode("ascii"))
        assert json.loads(ours) == json.loads(json_lines.encode({"value": value})) == {"value": value}


def test_plain_text_is_one_line_for_a_message_with_line_ends() -> None:
    text = TextFormatter(redactor=Redactor()).format(record("first\r\nsecond", user_id="u1", token="t"))
    assert len(text.splitlines()) == 1
    assert "INFO" in text
    assert "first\\r\\nsecond" in text
    assert "user_id=u1" in text
    assert "token=****" in text


def test_colour_is_for_terminals_that_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

    plain = ColoredFormatter(redactor=Redactor())
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[32mINFO" in plain.format(record())
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in plain.format(record())


def test_the_exported_copy_has_what_the_line_has_and_no_objects() -> None:
    try:
        raise ValueError("for alice@example.com")
    except ValueError:
        copy = export_copy(record("%d", "x", exc_info=sys.exc_info(), user_id="u1", password="p"), Redactor())
    assert copy.getMessage() == "%d [not formatted, TypeError: ['x']]"
    assert (copy.user_id, copy.password) == ("u1", "****")  # type: ignore[attr-defined]
    assert copy.__dict__["exception.type"] == "ValueError"
    assert copy.__dict__["exception.message"] == "for ****"
    assert "alice" not in copy.__dict__["exception.stacktrace"]
    assert copy.exc_info is None
