"""Who sends: a process by its own resource, the app by one without anything of one process, and neither with a secret."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from otel_chatbot.distro.environment import SignalPlan
from otel_chatbot.distro.providers.resource import (
    HashedOnceResource,
    adopted_resource,
    app_resource,
    process_resource,
    service_name,
    service_version,
)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["app.py"], "app"),
        (["-W", "ignore", "src/bot.py", "serve"], "bot"),
        (["-m", "bot.web"], "bot.web"),
        (["-m", "flask", "--app", "chat:create_app()", "run"], "chat"),
        (["/usr/bin/flask", "run", "--debug"], "fallback"),
        (["/usr/bin/gunicorn", "-w", "4", "-b", "127.0.0.1:8000", "shop.wsgi:app"], "shop.wsgi"),
        (["/usr/bin/gunicorn", "-c", "python:otel_chatbot.gunicorn", "chat:app"], "chat"),
        (["-c", "print()"], "python"),
        ([], "python"),
    ],
)
def test_the_service_is_named_after_the_app(command: list[str], name: str) -> None:
    assert service_name(command, "fallback.py") == name


def test_one_resource_has_one_hash_and_equal_ones_are_equal_whatever_their_kind() -> None:
    one, same = HashedOnceResource({"a": 1}), Resource({"a": 1})
    assert hash(one) == hash(one) == hash(same)
    assert one == same
    assert one != Resource({"a": 2})
    merged = one.merge(Resource({"b": 2}))
    assert isinstance(merged, HashedOnceResource)
    assert dict(merged.attributes) == {"a": 1, "b": 2}


def test_what_the_user_named_wins_over_what_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=chat,host.name=mine")
    found = process_resource(SignalPlan.from_env(), "0.50b0").attributes
    assert (found["service.name"], found["host.name"]) == ("chat", "mine")
    assert (found["process.pid"], found["telemetry.auto.version"]) == (os.getpid(), "0.50b0")
    assert found["telemetry.distro.name"] == "otel-chatbot"


def test_secrets_of_a_resource_are_masked_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "OTEL_RESOURCE_ATTRIBUTES", "service.name=chat,password=hunter2,process.command=run%20--token%3Dhunter3xyz"
    )
    found = process_resource(SignalPlan.from_env())
    assert "hunter" not in str(dict(found.attributes))


def test_the_app_is_not_one_of_its_processes_and_its_instance_is_the_run_unless_it_was_named() -> None:
    process = Resource(
        {"service.name": "chat", "process.pid": 7, "process.command": "x", "service.instance.id": "of a process"}
    )
    unnamed = app_resource(process, SignalPlan.from_env({}), "run-1").attributes
    assert dict(unnamed) == {"service.name": "chat", "service.instance.id": "run-1"}
    named = SignalPlan.from_env({"OTEL_RESOURCE_ATTRIBUTES": "service.instance.id=pod-1"})
    assert app_resource(process, named, "run-1").attributes["service.instance.id"] == "pod-1"


@pytest.mark.parametrize(("name", "shown"), [("theirs", "theirs"), ("unknown_service:python", "ours")])
def test_what_a_provider_of_the_app_says_goes_before_our_guesses_but_not_what_it_does_not_know(
    monkeypatch: pytest.MonkeyPatch, name: str, shown: str
) -> None:
    provider = TracerProvider(resource=Resource({"service.name": name, "zone": "b"}), shutdown_on_exit=False)
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    found = adopted_resource(Resource({"service.name": "ours", "team": "a", "zone": "a"})).attributes
    assert dict(found) == {"service.name": shown, "team": "a", "zone": "b"}


def test_without_a_provider_of_the_sdk_ours_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "get_tracer_provider", trace.ProxyTracerProvider)
    monkeypatch.setattr(metrics, "get_meter_provider", metrics.NoOpMeterProvider)
    ours = Resource({"service.name": "ours"})
    assert adopted_resource(ours) is ours


@pytest.mark.parametrize(
    ("content", "version"), [(b" 1.2.3\n", "1.2.3"), (b"\xff\xfe", ""), (b"v" * 200, "v" * 100), (None, "")]
)
def test_the_version_is_the_text_of_a_file_where_there_is_one(
    content: bytes | None, version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path("VERSION").write_bytes(content)
    assert service_version() == version
