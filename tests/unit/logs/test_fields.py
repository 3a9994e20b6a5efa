"""The fields of an event: read once, whatever a record holds; what cannot be read still leaves a line."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from otel_chatbot.config import MASK
from otel_chatbot.logs.fields import fields_of, line_of
from otel_chatbot.logs.redaction import Redactor


def record(**extra: Any) -> logging.LogRecord:
    made = logging.LogRecord("app", 30, "f.py", 3, "to %s", ("jane@example.com",), None, "f")
    vars(made).update(extra)
    return made


def test_the_line_holds_the_fields_and_both_are_redacted() -> None:
    line, fields = line_of(record(user_id="u1", password="p"), Redactor())
    assert fields is not None
    assert json.loads(line) == fields
    assert (fields["message"], fields["user_id"], fields["password"]) == (f"to {MASK}", "u1", MASK)
    assert (fields["level"], fields["logger"], fields["module"], fields["line"]) == ("WARNING", "app", "f", 3)


def test_the_applications_fields_are_left_out_where_nobody_wants_them() -> None:
    assert "user_id" not in fields_of(record(user_id="u1"), Redactor(), extras=False)


@pytest.mark.parametrize("created", [1e300, float("nan"), "now"])
def test_a_record_that_cannot_be_read_leaves_a_line_that_says_so(created: object) -> None:
    line, fields = line_of(record(created=created), Redactor())
    assert fields is None
    told = json.loads(line)
    assert (told["level"], told["logger"], told["timestamp"]) == ("WARNING", "app", "1970-01-01T00:00:00.000Z")
    assert "could not be formatted" in told["message"]
