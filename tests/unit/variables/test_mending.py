"""Bad values leave an environment before OpenTelemetry reads it; what the user gave is not forgotten, and told once."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

import pytest

from otel_chatbot import _guard
from otel_chatbot.variables import mending
from otel_chatbot.variables.mending import Mending
from otel_chatbot.variables.table import SDK_NAMES, Fault


def test_what_the_user_gave_is_known_after_values_were_replaced_unset_and_added() -> None:
    given = {"OTEL_BSP_MAX_QUEUE_SIZE": "100", "OTEL_METRIC_EXPORT_INTERVAL": "soon", "OTEL_SERVICE_NAME": "", "HOME": "/"}
    environ = dict(given)
    found = Mending(environ)
    found.mend()
    assert environ == {"OTEL_BSP_MAX_QUEUE_SIZE": "100", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "100", "HOME": "/"}
    assert found.changed == {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "OTEL_METRIC_EXPORT_INTERVAL", "OTEL_SERVICE_NAME"}
    assert found.given() == given


def test_a_value_that_the_app_sets_later_is_given_too() -> None:
    environ = {"OTEL_METRIC_EXPORT_INTERVAL": "soon"}
    found = Mending(environ)
    found.mend()
    environ["OTEL_TRACES_EXPORTER"] = "console"
    assert found.given() == {"OTEL_METRIC_EXPORT_INTERVAL": "soon", "OTEL_TRACES_EXPORTER": "console"}


def test_the_sdks_variables_are_looked_at_when_its_set_up_asks_and_once() -> None:
    environ = {"OTEL_TRACES_SAMPLER": "nope"}
    found = Mending(environ)
    found.mend()
    assert environ == {"OTEL_TRACES_SAMPLER": "nope"}
    found.mend(sdk=True)
    assert environ == {}
    environ["OTEL_TRACES_SAMPLER"] = "nope"
    found.mend(sdk=True)
    found.mend()
    assert environ == {"OTEL_TRACES_SAMPLER": "nope"}, "a second look costs nothing"


def test_while_names_are_tried_the_sdk_that_they_import_reads_none_of_its_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"OTEL_TRACES_SAMPLER": "always_on", "OTEL_PYTHON_ID_GENERATOR": "random", "OTEL_SERVICE_NAME": "chat"}
    environ = dict(given)
    there: list[set[str]] = []

    def trying(_: Mapping[str, str], *, sdk: bool) -> Iterator[Fault]:
        if sdk:
            there.append(SDK_NAMES & environ.keys())
            raise ValueError("while it was tried")
        yield from ()

    monkeypatch.setattr(mending, "faults", trying)
    monkeypatch.setattr(_guard.Guard, "strict", False)
    monkeypatch.setattr(_guard, "_seen", set())
    Mending(environ).mend(sdk=True)
    assert there == [set()]
    assert environ == given, "they are back, whatever happened"


def test_a_fault_is_told_once_even_where_it_is_found_twice(caplog: pytest.LogCaptureFixture) -> None:
    environ = {"OTEL_METRIC_EXPORT_INTERVAL": "soon", "OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}
    found = Mending(environ)
    found.mend()
    found.mend(sdk=True)  # the address stays, so that it is found again
    found.tell()
    found.tell()
    assert sorted(record.getMessage().partition("=")[0] for record in caplog.records) == [
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_METRIC_EXPORT_INTERVAL",
    ]
    assert {(record.name, record.levelno) for record in caplog.records} == {("otel_chatbot", logging.WARNING)}


def test_a_check_that_breaks_is_reported_and_the_environment_stays(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_guard.Guard, "strict", False)
    monkeypatch.setattr(_guard, "_seen", set())
    monkeypatch.setattr(mending, "blanks", lambda *_, **__: 1 / 0)
    environ = {"OTEL_METRIC_EXPORT_INTERVAL": "soon"}
    Mending(environ).mend()
    assert environ == {"OTEL_METRIC_EXPORT_INTERVAL": "soon"}
    assert "telemetry fault in looking at OTEL_* variables: ZeroDivisionError" in caplog.text
