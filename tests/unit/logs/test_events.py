"""Every event has its name, its fields and the place of its caller; set-up and sink write each line once."""

from __future__ import annotations

import inspect
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace
from support.logging_state import sink_into

from otel_chatbot import config
from otel_chatbot.logs import ChatbotLogger, LogEvents, access_record, get_logger, setup_logger, sink
from otel_chatbot.logs.access import replace_request_lines

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


def test_a_logger_shows_its_level_and_creates_no_file(tmp_path: Path) -> None:
    with sink_into(tmp_path / "made"):
        assert repr(get_logger()) == "<Logger chatbot (INFO)>"
        assert not (tmp_path / "made").exists()
        get_logger().info("first")
        assert (tmp_path / "made" / "chatbot.json.log").exists()


def test_setup_writes_every_line_once_and_a_second_call_changes_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    root.handlers[:] = []
    setup_logger(log_dir=str(folder / "chosen"), log_level="WARNING", backup_count=2)
    setup_logger(log_dir=str(folder / "other"), log_level="DEBUG")
    ChatbotLogger.setup(log_dir=str(folder / "other"))
    logging.getLogger("anything").warning("once %s", "only")
    get_logger().info("below the level")
    assert [line["message"] for line in lines(folder / "chosen")] == ["once only"]
    assert not (folder / "other").exists()
    assert capsys.readouterr().err.count("once only") == 1
    assert len(root.handlers) == 1


@pytest.mark.parametrize(("environment", "json_console"), [("production", True), ("development", False)])
def test_the_console_is_json_in_production_and_text_in_development(
    environment: str, json_console: bool, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(config, "current", lambda: config.Settings(log_dir=str(folder), environment=environment))
    logging.getLogger().handlers[:] = []
    setup_logger()
    get_logger().info("shown", extra={"n": 1})
    shown = capsys.readouterr().err
    assert shown.count("shown") == 1
    assert shown.startswith("{") == json_console
    assert ("INFO     chatbot: shown  n=1" in shown) != json_console


def test_setup_without_console_or_json_writes_one_plain_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    root.handlers[:] = []
    setup_logger(log_dir=str(folder / "plain"), json_output=False, console_output=False)
    get_logger().error("a\nb", extra={"user_id": "u1"})
    assert sorted(path.name for path in (folder / "plain").glob("*.log")) == ["chatbot.log"]
    (line,) = (folder / "plain" / "chatbot.log").read_text().splitlines()
    assert "ERROR    chatbot: a\\nb  user_id=u1" in line
    assert not [handler for handler in root.handlers if isinstance(handler, logging.StreamHandler)]
    assert capsys.readouterr().err == ""


def test_setup_leaves_a_console_that_the_application_made(folder: Path) -> None:
    root = logging.getLogger()
    own = logging.StreamHandler(sys.stderr)
    root.handlers[:] = [own]
    setup_logger(log_dir=str(folder))
    assert root.handlers == [own]


def test_an_argument_goes_before_the_environment_and_that_before_the_default(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "current", lambda: config.Settings(log_dir=str(folder / "env"), log_level="DEBUG"))
    setup_logger(log_level="INFO", console_output=False)
    logging.getLogger("x").debug("too low")
    logging.getLogger("x").info("kept")
    assert [line["message"] for line in lines(folder / "env")] == ["kept"]


def test_an_unknown_level_is_info_and_a_line_says_so(folder: Path) -> None:
    setup_logger(log_dir=str(folder), log_level="LOUD", console_output=False)
    assert logging.getLogger().level == logging.INFO
    assert "LOUD" in lines(folder)[0]["message"]


def test_an_extra_that_logging_refuses_is_renamed(folder: Path) -> None:
    get_logger().info("x", extra={"name": "n", "message": "m", "args": 1})
    (line,) = lines(folder)
    assert (line["logger"], line["name_"], line["message_"], line["args_"]) == ("chatbot", "n", "m", 1)


def test_an_access_record_is_inside_its_trace_and_on_no_console(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger().handlers[:] = [logging.StreamHandler(sys.stderr)]
    logging.getLogger().setLevel(logging.WARNING)
    span = trace.NonRecordingSpan(trace.SpanContext(7, 8, is_remote=False))
    context = trace.set_span_in_context(span, otel_context.Context())
    access_record("/chat", "POST", 200, 12.34567, 99, route="/chat", aborted=True, context=context)
    (line,) = lines(folder)
    expected = {
        "logger": "chatbot.access",
        "level": "INFO",
        "message": "POST /chat 200",
        "event": "api_request",
        "endpoint": "/chat",
        "method": "POST",
        "status": 200,
        "duration_ms": 12.346,
        "bytes": 99,
        "route": "/chat",
        "aborted": True,
        "trace_id": f"{7:032x}",
        "span_id": f"{8:016x}",
    }
    assert line.items() >= expected.items()
    assert capsys.readouterr().err == ""


def test_access_records_survive_a_dict_config_and_can_be_switched_off(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logger = logging.getLogger("chatbot.access")
    logger.disabled = True  # what dictConfig does to loggers that it does not name
    try:
        access_record("/a", "GET", 200, 1.0)
        monkeypatch.setattr(config, "current", lambda: config.Settings(access_log=False))
        access_record("/b", "GET", 200, 1.0)
    finally:
        logger.disabled = False
    assert [line["endpoint"] for line in lines(folder)] == ["/a"]


def test_a_servers_request_lines_are_left_out_once_access_records_stand_for_them(folder: Path) -> None:
    werkzeug = logging.getLogger("werkzeug")
    before = werkzeug.level
    werkzeug.setLevel(logging.INFO)

    def serve() -> None:
        werkzeug.info('127.0.0.1 - - [23/Nov/2026 18:00:00] "%s" %s %s', "GET / HTTP/1.1", "200", "-")
        werkzeug.info(" * Running on http://127.0.0.1:5000")

    try:
        serve()
        replace_request_lines()
        serve()
    finally:
        werkzeug.setLevel(before)
    assert ["GET" in line["message"] for line in lines(folder)] == [True, False, False]


def test_a_listener_gets_every_record_once_also_without_propagation(folder: Path) -> None:
    seen: list[str] = []

    def listener(record: logging.LogRecord) -> None:
        seen.append(record.getMessage())

    sink.add_listener(listener)
    sink.add_listener(listener)
    lonely = get_logger("lonely.child")
    lonely.propagate = False
    try:
        lonely.info("one")
        get_logger().info("two")
    finally:
        lonely.propagate = True
    sink.remove_listener(listener)
    get_logger().info("three")
    assert seen == ["one", "two"]


def test_a_record_made_while_formatting_is_kept_and_does_not_loop(folder: Path) -> None:
    alone = get_logger("alone")
    alone.addHandler(logging.NullHandler())
    alone.propagate = False  # only the sink formats: any other handler would loop with or without it

    class Chatty:
        def __str__(self) -> str:
            alone.info("%s", Chatty())
            return "chatty"

    try:
        alone.info("%s", Chatty())
    finally:
        alone.propagate = True
    assert [line["message"] for line in lines(folder)] == ["chatty"] * 3
