"""The public objects are written from the rows: one line each, and the facade lists them all."""

from __future__ import annotations

import ast

import pytest

from otel_chatbot.render import facade
from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv.spec import Kind, MetricSpec

OBJECTS, FACADE = "otel_chatbot/metrics/chatbot.py", "otel_chatbot/__init__.py"


def made(text: str) -> dict[str, str]:
    """What each name of a module is made by."""
    lines = [node for node in ast.parse(text).body if isinstance(node, ast.Assign)]
    return {ast.unparse(node.targets[0]): ast.unparse(node.value) for node in lines}


def listed(text: str) -> set[str]:
    """The names that the facade exports beside those that it always has."""
    [more] = [node for node in ast.parse(text).body if isinstance(node, ast.AugAssign)]
    return set(ast.literal_eval(more.value))


def test_each_public_row_is_an_object_of_its_kind() -> None:
    found = made(facade.files()[OBJECTS])
    assert list(found) == [spec.python for spec in m.CHATBOT]
    assert found["cache_hits"] == "Counter(m.CACHE_HITS.name)"
    assert found["active_users"] == "Gauge(m.ACTIVE_USERS.name)"
    assert found["response_time"] == "Histogram(m.RESPONSE_TIME.name, unit=m.RESPONSE_TIME.unit)"


def test_the_facade_imports_and_lists_every_object() -> None:
    text = facade.files()[FACADE]
    names = {spec.python for spec in m.CHATBOT}
    assert listed(text) == names
    imported = {
        name.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom) and node.module == "metrics.chatbot"
        for name in node.names
    }  # fmt: skip
    assert imported == names


def test_a_new_row_is_a_new_object_and_its_kind_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    row = MetricSpec("chatbot.doors", Kind.COUNTER, "{door}", "Doors", (), (), "doors", from_start=True)
    monkeypatch.setattr(m, "DOORS", row, raising=False)
    monkeypatch.setattr(m, "CHATBOT", (row,))
    files = facade.files()
    assert made(files[OBJECTS]) == {"doors": "Counter(m.DOORS.name)"}
    assert "from .instruments import Counter\n" in files[OBJECTS]
    assert listed(files[FACADE]) == {"doors"}
