"""Whatever the application passes to the log, metric and settings APIs: no exception comes back, and what leaves is valid."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from support.fuzz import ANY_TEXT, ANYTHING, CASES, NUMBERS, SIMPLE, Rude, _tell_cases, cases  # noqa: F401
from support.logging_state import sink_into
from support.metrics import _fresh_metrics, dropped  # noqa: F401

import otel_chatbot as o
from otel_chatbot import config
from otel_chatbot._guard import Guard
from otel_chatbot.config import PREFIX, Settings
from otel_chatbot.distro.environment import SignalPlan
from otel_chatbot.distro.metrics.data import metrics_data
from otel_chatbot.logs.formatters import ColoredFormatter
from otel_chatbot.metrics import exposition, view
from otel_chatbot.metrics.store import STORE

SERIES = 20
READ_BACK_EVERY = 100
"""The parsers take a hundred times as long as all that is tested: series stay, so that what one reads back is of many cases."""


@pytest.fixture(autouse=True)
def as_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(STORE, "_limit", SERIES)
    monkeypatch.setattr(Guard, "strict", False)


def valid(*metrics: Any, read_back: bool = True) -> None:
    """The metrics' families can be written in every format, and read back from the texts."""
    specs = {metric.spec.name for metric in metrics}
    families = [family for family in view.read() if family.spec.name in specs]
    text, openmetrics = exposition.prometheus_text(families).decode(), exposition.openmetrics_text(families).decode()
    if read_back:
        assert list(parse_text(text))
        assert list(parse_openmetrics(openmetrics))
    data = metrics_data(families, Resource({}), InstrumentationScope("test"), 1, 2)
    assert encode_metrics(data).SerializeToString()
    figures = exposition.metrics_json(families)
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures


def test_what_cannot_be_recorded_is_counted() -> None:
    counter, before = o.Counter("test.fuzz.lost", attributes=("kind",)), dropped("invalid_value")
    counter.inc(1, 5)  # type: ignore[arg-type]
    counter.inc(1, kind=Rude())
    counter.inc("many")  # type: ignore[arg-type]
    assert dropped("invalid_value") - before == 3
    assert counter.get() == 0


LABELS = st.dictionaries(
    st.sampled_from(["kind", "place", "chat.model", "chat_model", "other", "le"]) | ANY_TEXT, ANYTHING, max_size=4
)
ATTRIBUTES = ("kind", "place", "chat.model")


def test_recording_takes_anything() -> None:
    counter = o.Counter("test.fuzz.calls", "Calls", attributes=ATTRIBUTES)
    gauge = o.Gauge("test.fuzz.level", "Level", attributes=ATTRIBUTES)
    histogram = o.Histogram("test.fuzz.time", "Time", unit="s", attributes=ATTRIBUTES)
    metrics = (counter, gauge, histogram, o.messages_sent, o.active_users, o.response_time)
    recorded = 0

    @cases(0.16)
    @given(amount=NUMBERS, value=NUMBERS, given_attributes=LABELS | ANYTHING, labels=LABELS)
    def record(amount: Any, value: Any, given_attributes: Any, labels: dict[str, Any]) -> None:
        nonlocal recorded
        CASES["records of metrics"] += 1
        labels = {name: value for name, value in labels.items() if name not in ("amount", "value", "attributes", "self")}
        for take, number in (
            (counter.inc, amount), (gauge.set, value), (gauge.inc, amount), (gauge.dec, amount), (histogram.observe, value),
            (o.messages_sent.inc, amount), (o.active_users.set, value), (o.response_time.observe, value),
        ):  # fmt: skip
            assert take(number) is None
            assert take(number, given_attributes, **labels) is None
        assert counter.get() >= 0
        assert len(counter._instrument.series) <= SERIES + 3
        recorded += 1
        valid(*metrics, read_back=recorded % READ_BACK_EVERY == 0)

    record()
    assert len(counter._instrument.series) > SERIES / 2
    valid(*metrics)
    for metric in metrics:
        metric._reset()  # sums beyond every number are no matter of the tests that come


names = st.from_regex(r"[a-z][a-z0-9_.]{0,12}", fullmatch=True).map("test.fuzz.defined.{}".format)
_defined: list[Any] = []


@cases(0.04)
@given(
    kind=st.sampled_from([o.Counter, o.Gauge, o.Histogram]),
    name=names | SIMPLE,
    description=ANY_TEXT,
    unit=st.sampled_from(["", "s", "By", "{order}", "1", "%"]) | SIMPLE,
    attributes=st.lists(ANY_TEXT | SIMPLE, max_size=3) | SIMPLE,
    buckets=st.lists(st.floats() | SIMPLE, max_size=4) | SIMPLE,
)
def test_a_definition_is_taken_or_refused_with_a_reason(
    kind: Any, name: Any, description: str, unit: Any, attributes: Any, buckets: Any
) -> None:
    CASES["definitions of metrics"] += 1
    more = {"buckets": buckets} if kind is o.Histogram else {}
    try:
        metric = kind(name, description, unit=unit, attributes=attributes, **more)
    except (ValueError, TypeError):
        return
    (metric.inc if kind is not o.Histogram else metric.observe)(1)
    if len(_defined) < 100:
        _defined.append(metric)
    valid(metric)


def test_all_that_was_defined_can_be_read_together() -> None:
    o.Counter("test.fuzz.defined.one", "Café \ud800 \n# EOF\n").inc()
    valid(*_defined, o.Counter("test.fuzz.defined.one"))
    assert b"# EOF\n" in exposition.openmetrics_text(view.read())[-6:]


FIELDS = st.dictionaries(
    st.sampled_from(["user_id", "password", "message", "name", "args", "level", "timestamp"]) | ANY_TEXT, ANYTHING, max_size=4
)


def test_every_record_is_one_line_of_json_whatever_it_holds(tmp_path: Path) -> None:
    written = 0

    @cases(0.10)
    @given(
        message=ANYTHING,
        arguments=st.lists(ANYTHING, max_size=3),
        fields=FIELDS,
        error=st.none() | ANY_TEXT.map(ValueError) | ANYTHING.map(KeyError),
        level=st.sampled_from([10, 20, 30, 40, 50]),
    )
    def log(message: Any, arguments: list[Any], fields: dict[str, Any], error: Exception | None, level: int) -> None:
        nonlocal written
        CASES["log records"] += 1
        extra = {name: value for name, value in fields.items() if name not in ("message", "name", "args", "asctime")}
        extra = {name: value for name, value in extra.items() if name not in vars(logging.makeLogRecord({}))}
        logging.getLogger("fuzz").log(level, message, *arguments, extra=extra, exc_info=error)
        record = logging.makeLogRecord({"msg": message, "args": tuple(arguments), **extra})
        assert "\n" not in o.JsonFormatter().format(record)
        json.loads(o.JsonFormatter().format(record))
        assert isinstance(ColoredFormatter().format(record), str)
        written += 1

    with sink_into(tmp_path):
        logger = logging.getLogger("fuzz")
        logger.setLevel(10)
        logger.propagate = False
        logger.addHandler(logging.NullHandler())
        log()
    lines = [
        line
        for path in tmp_path.glob("chatbot.json.log*")
        for line in path.read_bytes().split(b"\n")[:-1]
        if path.suffix != ".lock"
    ]
    assert len(lines) == written
    for line in lines:
        found = json.loads(line)
        assert {"timestamp", "level", "logger", "message"} <= found.keys()


@cases(0.06)
@given(operation=ANYTHING, fields=FIELDS, text=ANYTHING)
def test_operations_and_events_take_anything(operation: Any, fields: dict[str, Any], text: Any) -> None:
    CASES["operations and events"] += 1
    logger = logging.getLogger("fuzz.events")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    extra = {name: value for name, value in fields.items() if name not in ("operation", "logger", "self")}
    with o.LogOperation(operation, logger, **extra):
        pass
    with pytest.raises(KeyError), o.LogOperation(operation, logger, **extra):
        raise KeyError(text)
    events = {name: getattr(o.LogEvents, name) for name in dir(o.LogEvents) if not name.startswith("_")}
    assert len(events) > 5
    for event in events.values():
        wanted = event.__code__.co_argcount - 1
        event(logger, *[text] * wanted)


MARK = "hunter2-"
SECRET = {config.env_name(field) for field in config.fields() if field.metadata["secret"]}
KNOWN = [config.env_name(field) for field in config.fields()]
VALUES = st.sampled_from(
    ["", " ", "0", "-1", "1e400", "nan", "TRUE", "no", "9" * 5000, "٣", "a=b,c", "json:", "json:x,query:", "(", "(;;)", "%zz"]
)


@cases(0.12)
@given(st.dictionaries(st.sampled_from(KNOWN) | ANY_TEXT.map(lambda text: PREFIX + text), VALUES | ANY_TEXT, max_size=12))
def test_settings_are_made_from_any_environment_and_tell_no_secret(environ: dict[str, str]) -> None:
    CASES["environments of settings"] += 1
    environ = {name: MARK + value if name in SECRET else value for name, value in environ.items()}
    made = Settings.from_env(environ)
    for field in config.fields():
        assert type(getattr(made, field.name)) is type(field.default), field.name
    assert not [line for line in (*made.warnings, *made.changed().values()) if MARK in line], "a secret"
    assert all(0 <= number < 1e9 for number in (made.active_window, made.health_timeout, made.shutdown_timeout))


OTEL = [
    "OTEL_SDK_DISABLED", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_EXPORTER",
    "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_METRIC_EXPORT_INTERVAL",
    "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_SERVICE_NAME", "OTEL_CONFIG_FILE",
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
]  # fmt: skip


@cases(0.02)
@given(st.dictionaries(st.sampled_from(OTEL), VALUES | ANY_TEXT, max_size=8))
def test_the_plan_is_made_from_any_environment(environ: dict[str, str]) -> None:
    CASES["environments of the plan"] += 1
    plan = SignalPlan.from_env(environ)
    assert 0 < plan.export_interval < float("inf")
