"""What is wrong in the settings is said once in a process, ours and OpenTelemetry's, and why nothing is observed."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from otel_chatbot import config
from otel_chatbot.distro import warnings
from otel_chatbot.variables.mending import Mending

START = f"{os.sep}site-packages{os.sep}opentelemetry{os.sep}instrumentation{os.sep}auto_instrumentation"


@pytest.fixture(autouse=True)
def nothing_was_said(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    environ = {"OTEL_PROPAGATORS": "nope", "OTEL_METRIC_EXPORT_INTERVAL": "soon"}
    mending = Mending(environ)
    mending.mend()
    settings = config.Settings.from_env({"CHATBOT_OTEL_LOGDIR": "x", "CHATBOT_OTEL_SERIES_LIMIT": "many"})
    monkeypatch.setattr(warnings, "MENDING", mending)
    monkeypatch.setattr(config, "current", lambda: settings)
    for said in (warnings._ours, warnings.warn_of_failed_start):
        said.cache_clear()
    yield
    for said in (warnings._ours, warnings.warn_of_failed_start):
        said.cache_clear()


def test_each_wrong_setting_is_one_warning_and_none_is_said_again(caplog: pytest.LogCaptureFixture) -> None:
    warnings.warn_of_settings()
    warnings.warn_of_settings()
    assert [line.split("=")[0].split(" ")[0] for line in caplog.messages] == [
        "CHATBOT_OTEL_SERIES_LIMIT",
        "CHATBOT_OTEL_LOGDIR",
        "OTEL_METRIC_EXPORT_INTERVAL",
        "OTEL_PROPAGATORS",
    ]
    assert {record.name for record in caplog.records} == {"otel_chatbot"}


def test_a_start_that_opentelemetry_could_not_make_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PYTHONPATH", f"/app{os.pathsep}{START}")
    monkeypatch.delitem(warnings.sys.modules, warnings._START, raising=False)
    warnings.warn_of_failed_start()
    warnings.warn_of_failed_start()
    [line] = caplog.messages
    assert "opentelemetry-instrument could not begin with that OTEL_PROPAGATORS" in line


@pytest.mark.parametrize("reason", ["no instrument command", "it began", "the value is good"])
def test_where_the_start_did_not_fail_nothing_is_said_of_it(
    reason: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/app" if reason == "no instrument command" else START)
    monkeypatch.delitem(warnings.sys.modules, warnings._START, raising=False)
    if reason == "it began":
        monkeypatch.setitem(warnings.sys.modules, warnings._START, warnings)
    if reason == "the value is good":
        monkeypatch.setattr(warnings, "MENDING", Mending({}))
    warnings.warn_of_failed_start()
    assert caplog.messages == []
