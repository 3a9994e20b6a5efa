"""What is wrong with the value of a standard variable is said in one line with name, value and remedy, and mended."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from otel_chatbot.variables.mending import Mending
from otel_chatbot.variables.table import faults

BAD = [
    ({"OTEL_PROPAGATORS": "tracecontext,b3nope"}, {"OTEL_PROPAGATORS": "tracecontext"}, "no installed package offers 'b3nope'"),
    ({"OTEL_PROPAGATORS": "nope"}, {}, "one of baggage, none, tracecontext"),
    ({"OTEL_PYTHON_CONTEXT": "nope"}, {}, "contextvars_context"),
    ({"OTEL_PYTHON_TRACER_PROVIDER": "nope"}, {}, "sdk_tracer_provider"),
    ({"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "-1"}, {}, "0 or more"),
    ({"OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT": "many"}, {}, "not a whole number"),
    ({"OTEL_BSP_SCHEDULE_DELAY": "5s"}, {}, "1 or more"),
    ({"OTEL_BSP_MAX_QUEUE_SIZE": "100"}, {"OTEL_BSP_MAX_QUEUE_SIZE": "100", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "100"}, "512"),
    (
        {"OTEL_BLRP_MAX_QUEUE_SIZE": "10", "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "20"},
        {"OTEL_BLRP_MAX_QUEUE_SIZE": "10", "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "10"},
        "a batch of 20 is larger than the queue of 10",
    ),
    ({"OTEL_TRACES_SAMPLER": "nope"}, {}, "parentbased_always_on"),
    (
        {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "2"},
        {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "1.0"},
        "0 to 1",
    ),
    ({"OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "os,nope"}, {"OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "os"}, "'nope'"),
    ({"OTEL_PYTHON_ID_GENERATOR": "nope"}, {}, "random"),
    ({"OTEL_METRICS_EXEMPLAR_FILTER": "x"}, {}, "trace_based"),
    ({"OTEL_METRIC_EXPORT_INTERVAL": "0"}, {}, "milliseconds"),
    ({"OTEL_EXPORTER_OTLP_TIMEOUT": "10s"}, {}, "seconds"),
    ({"OTEL_EXPORTER_OTLP_LOGS_COMPRESSION": "zstd"}, {}, "gzip"),
    ({"OTEL_PYTHON_FLASK_EXCLUDED_URLS": "health,("}, {"OTEL_PYTHON_FLASK_EXCLUDED_URLS": "health"}, "regular expression"),
    ({"OTEL_RESOURCE_ATTRIBUTES": "a,b=c,=d"}, {"OTEL_RESOURCE_ATTRIBUTES": "b=c"}, "'a' is not a key=value pair"),
    ({"OTEL_EXPORTER_PROMETHEUS_PORT": "99999"}, {}, "0 to 65535"),
    ({"OTEL_SDK_DISABLED": "perhaps"}, {}, "true, false"),
]
KEPT = [
    ({"OTEL_EXPORTER_OTLP_ENDPOINT": "localhost:4318"}, "add http:// (or https://), as in http://localhost:4318"),
    ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "collector/v1/traces"}, "add http://"),
    ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:port"}, "http://localhost:4318"),
    ({"OTEL_EXPORTER_OTLP_CERTIFICATE": "/nowhere/ca.pem"}, "correct the path"),
    ({"OTEL_SEMCONV_STABILITY_OPT_IN": "http/dup,database"}, "http/dup is not supported"),
    ({"OTEL_RESOURCE_ATTRIBUTES": "a=100%"}, "write %25"),
]
GOOD = {
    "OTEL_PROPAGATORS": "tracecontext, baggage",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "0",
    "OTEL_BSP_MAX_QUEUE_SIZE": "4096",
    "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
    "OTEL_TRACES_SAMPLER_ARG": "0.25",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "https://[::1]:4318/otlp",
    "OTEL_EXPORTER_OTLP_TIMEOUT": "2.5",
    "OTEL_EXPORTER_OTLP_COMPRESSION": "GZIP",
    "OTEL_RESOURCE_ATTRIBUTES": "service.name=my%20bot,team=a%2Cb,equation=a=b,",
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "*",
    "OTEL_SEMCONV_STABILITY_OPT_IN": "http,database",
    "OTEL_PYTHON_EXCLUDED_URLS": "health,^/static",
    "OTEL_METRICS_EXEMPLAR_FILTER": "always_on",
}


@pytest.mark.parametrize(("given", "mended", "said"), BAD, ids=[" ".join(given) for given, _, _ in BAD])
def test_a_bad_value_is_told_of_once_and_replaced(
    given: dict[str, str], mended: dict[str, str], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    environ = dict(given)
    mending = Mending(environ)
    mending.mend(sdk=True)
    mending.tell()
    mending.mend(sdk=True)
    mending.tell()
    [line] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert said in line
    assert any(name in line and repr(value) in line for name, value in given.items())
    assert environ == mended
    assert mending.given() == given
    assert list(faults(environ, sdk=True)) == []


@pytest.mark.parametrize(("given", "said"), KEPT, ids=[" ".join(given) for given, _ in KEPT])
def test_what_cannot_be_guessed_stays_and_is_told_of(
    given: dict[str, str], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    environ = dict(given)
    mending = Mending(environ)
    mending.mend(sdk=True)
    mending.tell()
    [line] = caplog.messages
    assert said in line
    assert environ == given


def test_good_values_are_left_alone() -> None:
    assert list(faults(GOOD, sdk=True)) == []


def test_a_blank_value_counts_as_unset_but_an_empty_limit_means_none() -> None:
    environ = {"OTEL_BSP_MAX_QUEUE_SIZE": "", "OTEL_SERVICE_NAME": " ", "OTEL_SPAN_LINK_COUNT_LIMIT": ""}
    Mending(environ).mend(sdk=True)
    assert environ == {"OTEL_SPAN_LINK_COUNT_LIMIT": ""}


def test_grpc_takes_an_address_without_a_scheme() -> None:
    assert not list(faults({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"}, sdk=True))


def test_a_password_in_an_address_is_not_shown() -> None:
    [fault] = faults({"OTEL_EXPORTER_OTLP_ENDPOINT": "ftp://me:secret@collector"}, sdk=True)
    assert "secret" not in str(fault)


def test_a_certificate_that_can_be_read_is_none_of_our_business(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("")
    assert not list(faults({"OTEL_EXPORTER_OTLP_CERTIFICATE": str(path)}, sdk=True))
