"""The access record: the same line whether `logging` makes a record of it or nobody needs one."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.instrumentation.logging import LoggingInstrumentor
from support import logging_state

from otel_chatbot import config
from otel_chatbot.logs import access, sink
from otel_chatbot.logs.access import access_record
from otel_chatbot.semconv import logs as names
from otel_chatbot.semconv.attributes import GEN_AI_CONVERSATION_ID

SPAN = trace.set_span_in_context(
    trace.NonRecordingSpan(trace.SpanContext(1 << 100 | 5, 7, False, trace.TraceFlags(1))), Context()
)
ENDPOINTS = st.text(max_size=20) | st.sampled_from(
    ["/chat", "/u/jane@example.com", "/card/4111111111111111", "/x?token=abc", "/\ud800", "/" + "x" * 400]
)


@contextmanager
def sink_into(folder: Path) -> Iterator[sink.Sink]:
    """The sink alone: pytest puts handlers on loggers that do not propagate, and other tests may have left something."""
    logger, factory = access._logger, logging.getLogRecordFactory()
    held, filters = logger.handlers, logger.filters
    logger.handlers, logger.filters = [each for each in held if type(each) is logging.NullHandler], []
    logging.setLogRecordFactory(logging.LogRecord)
    try:
        with logging_state.sink_into(folder) as state:
            yield state
    finally:
        logger.handlers, logger.filters = held, filters
        logging.setLogRecordFactory(factory)


@pytest.fixture
def logging_instrumentor() -> Iterator[LoggingInstrumentor]:
    """Upstream's, switched off and unknown to the sink before and after."""
    instrumentor = LoggingInstrumentor()
    was_on = instrumentor.is_instrumented_by_opentelemetry
    kept = sink._Plain.factory, LoggingInstrumentor._old_factory, LoggingInstrumentor._log_hook
    instrumentor._is_instrumented_by_opentelemetry = False
    sink._Plain.factory = logging.LogRecord
    yield instrumentor
    sink._Plain.factory, LoggingInstrumentor._old_factory, LoggingInstrumentor._log_hook = kept
    instrumentor._is_instrumented_by_opentelemetry = was_on


def lines(folder: Path) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (folder / "chatbot.json.log").read_text(encoding="utf-8").splitlines()]
    return [{key: value for key, value in line.items() if key != "timestamp"} for line in found]


@given(
    endpoint=ENDPOINTS,
    status=st.integers(100, 599),
    duration=st.floats(),
    size=st.none() | st.integers(0, 9),
    route=st.none() | ENDPOINTS,
    aborted=st.booleans(),
    context=st.sampled_from([None, SPAN]),
)
def test_the_line_is_the_same_with_a_record_and_without(
    tmp_path_factory: pytest.TempPathFactory, endpoint: str, status: int, duration: float, size: int | None, route: str | None,
    aborted: bool, context: Context | None,
) -> None:  # fmt: skip
    heard: list[logging.LogRecord] = []
    folder = tmp_path_factory.mktemp("access")
    with sink_into(folder) as state:
        for listeners in ((), (heard.append,)):
            state.listeners = listeners
            access_record(endpoint, "GET", status, duration, size, route=route, aborted=aborted, context=context)
    without, with_record = lines(folder)
    assert list(without.items()) == list(with_record.items())
    assert len(heard) == 1


def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the records that logging makes from now on."""
    found: list[str] = []
    original = logging.LogRecord.__init__

    def init(self: logging.LogRecord, name: str, *args: Any, **kwargs: Any) -> None:
        found.append(name)
        original(self, name, *args, **kwargs)

    monkeypatch.setattr(logging.LogRecord, "__init__", init)
    return found


def test_no_record_is_made_where_nobody_but_the_file_needs_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sink_into(tmp_path):
        records = made(monkeypatch)
        access_record("/chat", "GET", 200, 1.0)
    assert records == []
    assert [line["message"] for line in lines(tmp_path)] == ["GET /chat 200"]


def test_no_record_is_made_for_the_factory_that_every_instrumented_process_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logging_instrumentor: LoggingInstrumentor
) -> None:
    with sink_into(tmp_path):
        logging_instrumentor.instrument(inject_trace_context=True, enable_log_auto_instrumentation=False)
        records = made(monkeypatch)
        access_record("/chat", "GET", 200, 1.0, context=SPAN)
        assert records == []
        monkeypatch.undo()
        monkeypatch.setattr(sink.SINK, "is_all", lambda _logger: False)
        access_record("/chat", "GET", 200, 1.0, context=SPAN)
    without, made_by_factory = lines(tmp_path)
    assert without == made_by_factory


@pytest.mark.parametrize("somebody", ["hook", "factory before", "factory after"])
def test_a_factory_that_others_see_makes_the_record(
    tmp_path: Path, logging_instrumentor: LoggingInstrumentor, somebody: str
) -> None:
    heard: list[str] = []

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = before(*args, **kwargs)
        heard.append(record.getMessage())
        return record

    with sink_into(tmp_path):
        before = logging.getLogRecordFactory()
        if somebody == "factory before":
            logging.setLogRecordFactory(factory)
        hook = (lambda _span, record: heard.append(record.getMessage())) if somebody == "hook" else None
        logging_instrumentor.instrument(log_hook=hook, enable_log_auto_instrumentation=False)
        if somebody == "factory after":
            before = logging.getLogRecordFactory()
            logging.setLogRecordFactory(factory)
        token = attach(SPAN)
        access_record("/chat", "GET", 200, 1.0)
        detach(token)
    assert heard == ["GET /chat 200"]


def test_a_taker_is_told_which_fields_are_the_records_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[sink.Entry] = []
    monkeypatch.setattr(access, "conversation_id", lambda: "c1")
    with sink_into(tmp_path):
        sink.add_taker(taken.append)
        access_record("/chat", "GET", 200, 1.0, 9, route="/chat", aborted=True, context=SPAN)
    [entry] = taken
    assert entry.fields is not None
    assert entry.extras == {name: value for name, value in entry.fields.items() if name not in names.FIELDS}
    assert entry.extras[GEN_AI_CONVERSATION_ID] == "c1"


class Hearing(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record.getMessage())


def handler(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    hearing = Hearing()
    monkeypatch.setattr(access._logger, "handlers", [*access._logger.handlers, hearing])
    return lambda: hearing.heard


def log_filter(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    heard: list[str] = []
    monkeypatch.setattr(access._logger, "filters", [lambda record: heard.append(record.getMessage()) or True])
    return lambda: heard


def listener(_monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    heard: list[str] = []
    sink.add_listener(lambda record: heard.append(record.getMessage()))
    return lambda: heard


def propagation(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    hearing = Hearing()
    monkeypatch.setattr(access._logger, "propagate", True)
    monkeypatch.setattr(logging.getLogger(), "handlers", [hearing])
    return lambda: hearing.heard


def wrapper(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    heard: list[str] = []
    original = logging.Logger.callHandlers

    def call_handlers(self: logging.Logger, record: logging.LogRecord) -> None:
        heard.append(record.getMessage())
        original(self, record)

    monkeypatch.setattr(logging.Logger, "callHandlers", call_handlers)
    return lambda: heard


def factory(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    heard: list[str] = []

    class Record(logging.LogRecord):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            heard.append(self.getMessage())

    monkeypatch.setattr(logging, "_logRecordFactory", Record)
    return lambda: heard


@pytest.mark.parametrize("somebody", [handler, log_filter, listener, propagation, wrapper, factory])
def test_whoever_listens_gets_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, somebody: Callable[[pytest.MonkeyPatch], Callable[[], list[str]]]
) -> None:
    with sink_into(tmp_path):
        heard = somebody(monkeypatch)
        access_record("/chat", "GET", 200, 1.0)
    assert heard() == ["GET /chat 200"]
    assert [line["message"] for line in lines(tmp_path)] == ["GET /chat 200"]


def test_a_tool_that_has_wrapped_logging_before_us_gets_the_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = wrapper(monkeypatch)
    with sink_into(tmp_path):
        access_record("/chat", "GET", 200, 1.0)
    assert heard() == ["GET /chat 200"]


def test_a_field_whose_name_is_to_be_masked_is_masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from otel_chatbot.logs.redaction import Redactor

    mine = Redactor(keys=("endpoint",))
    for module in (access, sink):
        monkeypatch.setattr(module, "policy", lambda: mine)
    monkeypatch.setattr("otel_chatbot.logs.files.policy", lambda: mine)
    with sink_into(tmp_path):
        access_record("/chat", "GET", 200, 1.0)
    assert lines(tmp_path)[0]["endpoint"] != "/chat"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with sink_into(tmp_path):
        yield tmp_path


def test_an_access_record_is_inside_its_trace_and_on_no_console(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger().handlers[:] = [logging.StreamHandler(sys.stderr)]
    logging.getLogger().setLevel(logging.WARNING)
    span = trace.NonRecordingSpan(trace.SpanContext(7, 8, is_remote=False))
    context = trace.set_span_in_context(span, Context())
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
