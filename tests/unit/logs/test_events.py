"""Every event has its name, its fields and the place of its caller."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.logging_state import sink_into

from otel_chatbot.logs import ChatbotLogger, LogEvents, get_logger, setup_logger

CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("conversation_created", ("u1", "c1", "gpt"), {"user_id": "u1", "conversation_id": "c1", "model": "gpt"}),
    ("message_sent", ("c1", "user", 12), {"conversation_id": "c1", "role": "user", "message_length": 12}),
    ("cache_hit", ("k1",), {"cache_key": "k1"}),
    ("cache_miss", ("k1",), {"cache_key": "k1"}),
    ("db_query", ("messages", "find", 1.5), {"collection": "messages", "operation": "find", "duration_ms": 1.5}),
    ("api_request", ("/chat", "POST", 200, 2.5), {"endpoint": "/chat", "method": "POST", "status": 200, "duration_ms": 2.5}),
]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with sink_into(tmp_path):
        yield tmp_path


def lines(folder: Path, name: str = "chatbot.json.log") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


@pytest.mark.parametrize(("event", "arguments", "fields"), CALLS, ids=[call[0] for call in CALLS])
def test_an_event_has_its_name_its_fields_and_its_place(event: str, arguments: Any, fields: Any, folder: Path) -> None:
    getattr(LogEvents, event)(get_logger("app"), *arguments)
    (line,) = lines(folder)
    assert line["event"] == event
    assert line.items() >= fields.items()
    assert (line["level"], line["logger"]) == ("INFO", "app")
    assert line["function"] == "test_an_event_has_its_name_its_fields_and_its_place"


def test_an_error_event_keeps_whatever_it_is_given(folder: Path) -> None:
    LogEvents.error(get_logger(), "Timeout", "100% lost", name="n", event="e", user_id="u1")
    (line,) = lines(folder)
    assert line == lines(folder, "chatbot.error.log")[0]
    assert (line["event"], line["error_type"], line["message"], line["level"]) == ("error", "Timeout", "100% lost", "ERROR")
    assert (line["name_"], line["event_"], line["user_id"]) == ("n", "e", "u1")


def test_the_signatures_are_those_that_applications_call() -> None:
    parameters = {
        name: list(inspect.signature(getattr(LogEvents, name)).parameters) for name in [c[0] for c in CALLS] + ["error"]
    }
    assert parameters == {
        "conversation_created": ["logger", "user_id", "conversation_id", "model"],
        "message_sent": ["logger", "conversation_id", "role", "length"],
        "cache_hit": ["logger", "cache_key"],
        "cache_miss": ["logger", "cache_key"],
        "db_query": ["logger", "collection", "operation", "duration_ms"],
        "api_request": ["logger", "endpoint", "method", "status", "duration_ms"],
        "error": ["logger", "error_type", "message", "extra"],
    }
    for call in (setup_logger, ChatbotLogger.setup):
        assert {name: parameter.default for name, parameter in inspect.signature(call).parameters.items()} == {
            "log_dir": "logs",
            "log_level": "INFO",
            "json_output": True,
            "console_output": True,
            "max_bytes": 10 * 1024 * 1024,
            "backup_count": 5,
        }
