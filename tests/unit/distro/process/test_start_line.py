"""The line at the start names version, ways out, instrumentations and settings, with secrets masked, and not on the console."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.logging_state import sink_into

from otel_chatbot import config
from otel_chatbot.distro.environment import DEFAULTS, SignalPlan
from otel_chatbot.distro.process.start_line import announce, standard_settings, start_line, where
from otel_chatbot.distro.providers.resource import package_version
from otel_chatbot.semconv.attributes import Signal


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    found = config.Settings.from_env({"CHATBOT_OTEL_LOG_DIR": "here", "CHATBOT_OTEL_ENDPOINT_TOKEN": "t0ken"})
    monkeypatch.setattr(config, "current", lambda: found)


@pytest.mark.usefixtures("settings")
def test_the_line_has_its_four_parts() -> None:
    line = start_line(SignalPlan.from_env({}), ["redis", "flask"], {"OTEL_SERVICE_NAME": "chat"})
    assert line == (
        f"otel-chatbot {package_version()}; "
        "exporters: traces here/traces.otlp.jsonl, metrics /metrics, logs here; "
        "instrumentations: flask, redis; "
        "settings: CHATBOT_OTEL_ENDPOINT_TOKEN=****, CHATBOT_OTEL_LOG_DIR=here, OTEL_SERVICE_NAME=chat"
    )


def test_where_nothing_is_set_the_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "current", config.Settings)
    line = start_line(SignalPlan.from_env({}), [], {})
    assert line.endswith("; instrumentations: none yet; settings: defaults")


@pytest.mark.usefixtures("settings")
def test_where_a_signal_goes_is_said_without_user_and_password() -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://me:hunter2@collector:4318",
        "OTEL_LOGS_EXPORTER": "console,otlp",
        "OTEL_TRACES_EXPORTER": "none",
    }
    plan = SignalPlan.from_env(environ)
    shown = {signal: where(plan, signal, environ) for signal in Signal}
    assert shown[Signal.TRACES] == "none"
    assert shown[Signal.METRICS] == "otlp http://****@collector:4318 + /metrics"
    assert shown[Signal.LOGS].startswith("console http://****@collector:4318 + otlp")
    off = SignalPlan.from_env({**environ, "OTEL_SDK_DISABLED": "true"})
    assert {where(off, signal, environ) for signal in Signal} == {"off"}


def test_standard_settings_are_those_that_differ_from_ours_and_secrets_are_masked_by_name_and_in_addresses() -> None:
    given = {
        **DEFAULTS,
        "OTEL_EXPORTER_OTLP_HEADERS": "key=hunter2",
        "OTEL_EXPORTER_OTLP_CLIENT_KEY": "hunter3",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://me:hunter4@collector",
        "OTEL_BSP_SCHEDULE_DELAY": "",
        "OTEL_SERVICE_NAME": "chat",
        "HOME": "/",
    }
    assert standard_settings(given) == {
        "OTEL_EXPORTER_OTLP_HEADERS": "****",
        "OTEL_EXPORTER_OTLP_CLIENT_KEY": "****",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://****@collector",
        "OTEL_SERVICE_NAME": "chat",
    }


def test_the_line_is_in_the_log_files_and_no_handler_of_the_app_sees_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with sink_into(tmp_path) as sink:
        seen = []
        sink.listeners = (lambda record: seen.append(record.getMessage()),)  # type: ignore[assignment]
        announce(SignalPlan.from_env({}), ["flask"])
    assert [line for line in seen if "instrumentations: flask" in line] or "instrumentations: flask" in (
        tmp_path / "chatbot.log"
    ).read_text()
    assert caplog.messages == []
