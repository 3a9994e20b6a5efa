"""The settings that differ, the wrong ones, and names that nobody reads, each with what to do."""

from __future__ import annotations

import pytest

from otel_chatbot.cli.doctor import settings as doctor_settings
from otel_chatbot.cli.doctor.findings import Finding, Status
from otel_chatbot.cli.doctor.settings import known_names, settings


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names of a few packages: to read the source of all takes a second."""
    names = {"OTEL_SERVICE_NAME", "OTEL_TRACES_SAMPLER", "OTEL_PROPAGATORS", "OTEL_LOGS_EXPORTER"}
    monkeypatch.setattr(doctor_settings, "known_names", lambda: names)


def faults(**given: str) -> list[Finding]:
    return [one for one in settings(given) if one.status is not Status.WELL and one.name != "otel-name"]


def test_without_any_setting_all_are_at_their_defaults() -> None:
    [found] = settings({})
    assert (found.name, found.message) == ("setting", "all at their defaults")


def test_what_is_set_is_shown_in_order_with_secrets_masked() -> None:
    given = {"OTEL_SERVICE_NAME": "chat", "CHATBOT_OTEL_LOG_DIR": "here", "CHATBOT_OTEL_ENDPOINT_TOKEN": "t0ken"}
    assert [one.message for one in settings(given)] == [
        "CHATBOT_OTEL_ENDPOINT_TOKEN=****",
        "CHATBOT_OTEL_LOG_DIR=here",
        "OTEL_SERVICE_NAME=chat",
    ]


def test_an_unknown_setting_and_a_wrong_value_are_faults_of_other_names() -> None:
    found = faults(CHATBOT_OTEL_LOGDIR="x", CHATBOT_OTEL_SERIES_LIMIT="many")
    assert [(one.name, one.status) for one in found] == [
        ("setting-value", Status.FAILED),
        ("setting-unknown", Status.FAILED),
    ]
    assert "did you mean CHATBOT_OTEL_LOG_DIR?" in found[1].message


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("OTEL_SERVICE_NAMES", "did you mean OTEL_SERVICE_NAME?"), ("OTEL_XYZ", "")],
)
def test_a_standard_name_that_nobody_reads_is_a_fault_with_the_nearest_name(name: str, remedy: str) -> None:
    [found] = [one for one in settings({name: "x"}) if one.name == "otel-name"]
    assert (found.message, found.remedy) == (f"{name} is read by no installed package", remedy)


@pytest.mark.parametrize("name", ["OTEL_PYTHON_FLASK_EXCLUDED_URLS", "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS", "OTHER"])
def test_a_name_that_is_made_from_a_librarys_is_known(name: str) -> None:
    assert not [one for one in settings({name: "x"}) if one.name == "otel-name"]


def test_a_bad_standard_value_is_a_fault_and_a_harmless_one_a_warning() -> None:
    [bad] = faults(OTEL_TRACES_SAMPLER="nope")
    assert (bad.name, bad.status) == ("otel-value", Status.FAILED)
    [start] = faults(OTEL_PROPAGATORS="nope")
    assert "does not start the app" in start.remedy
    [harmless] = faults(OTEL_SEMCONV_STABILITY_OPT_IN="http/dup")
    assert harmless.status is Status.WARNING


ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


@pytest.mark.parametrize(
    ("given", "name", "status"),
    [
        ({**ENDPOINT, "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta"}, "temporality", Status.WARNING),
        ({"OTEL_TRACES_SAMPLER": "parentbased_always_off"}, "sampler", Status.WARNING),
        ({"OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "http/json"}, "protocol", Status.FAILED),
        ({"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://collector:4317/"}, "grpc-port", Status.FAILED),
    ],
)
def test_what_is_set_and_cannot_be_had_is_told_of_with_something_to_do(
    given: dict[str, str], name: str, status: Status
) -> None:
    [found] = faults(**given)
    assert (found.name, found.status) == (name, status)
    assert found.remedy


@pytest.mark.parametrize(
    "given",
    [
        {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta"},
        {**ENDPOINT, "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "cumulative"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317",
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
        },
    ],
    ids=["nothing leaves", "cumulative", "gRPC", "all off"],
)
def test_what_changes_nothing_is_no_finding(given: dict[str, str]) -> None:
    assert faults(**given) == []


def test_the_names_that_packages_read_are_found_in_their_source() -> None:
    names = known_names()
    assert {"OTEL_SERVICE_NAME", "OTEL_BSP_SCHEDULE_DELAY", "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"} <= names
    assert {"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_PYTHON_DISTRO", "OTEL_TRACES_SAMPLER"} <= names
    assert not {"OTEL_XYZ", "OTEL_EXPORTER_OTLP_ENPOINT"} & names
