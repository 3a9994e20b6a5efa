"""A running app is judged by its six routes: whether they are there and may be seen, and what its figures say was lost."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from support.http_answers import answering
from support.process import free_port

from otel_chatbot import config
from otel_chatbot.cli.doctor.app import app
from otel_chatbot.cli.doctor.findings import Finding, Status
from otel_chatbot.instrumentation.empty.figures import LOST
from otel_chatbot.instrumentation.flask.probes import PATHS

COUNTED = 'chatbot_api_requests_total{http_route="/"} 3\n'
Answer = Callable[[str], tuple[int, str]]


def answers(**by_path: tuple[int, str]) -> Answer:
    """An app that is well but for what is given by a path's name."""

    def answer(path: str) -> tuple[int, str]:
        name = path.strip("/").replace("/", "_")
        return by_path.get(name, (200, COUNTED if path == "/metrics" else '{"status": "healthy"}'))

    return answer


def found(answer: Answer, monkeypatch: pytest.MonkeyPatch | None = None, **environ: str) -> list[Finding]:
    if monkeypatch is not None:
        settings = config.Settings.from_env(environ)
        monkeypatch.setattr(config, "current", lambda: settings)
    with answering(answer) as address:
        return list(app(address))


def wrong(findings: list[Finding]) -> list[Finding]:
    return [one for one in findings if one.status is not Status.WELL]


def test_an_app_that_answers_all_six_routes_is_well() -> None:
    told = found(answers())
    assert {one.message for one in told} == {f"{path}: 200" for path in PATHS}
    assert wrong(told) == []


def test_an_app_without_any_of_them_runs_without_us_and_one_without_some_lacks_those() -> None:
    [none] = found(lambda _: (404, ""))
    assert (none.name, none.status) == ("not-observed", Status.FAILED)
    assert "opentelemetry-instrument" in none.remedy
    [one] = wrong(found(answers(health_live=(404, ""))))
    assert one.message.startswith("/health/live: 404: ")


def test_an_app_that_does_not_answer_is_one_finding() -> None:
    [one] = app(f"http://127.0.0.1:{free_port()}")
    assert (one.name, one.remedy) == ("app", "is the app running at this address?")
    assert "ConnectionRefusedError" in one.message


def test_an_app_that_is_not_healthy_says_which_checks_fail_and_a_503_of_somebody_else_is_a_fault() -> None:
    body = json.dumps({"status": "unhealthy", "checks": {"database": {"status": "unhealthy"}, "cache": {"status": "healthy"}}})
    [own] = wrong(found(answers(health_ready=(503, body))))
    assert (own.name, own.status) == ("unhealthy", Status.WARNING)
    assert own.message.endswith("is not healthy: database")
    for other in ("<html>", "[]", "{}"):
        [theirs] = wrong(found(answers(health_ready=(503, other))))
        assert (theirs.name, theirs.status) == ("route", Status.FAILED)


@pytest.mark.parametrize(
    ("status", "words"),
    [(429, "limiter.request_filter"), (503, "maintenance"), (405, "no GET"), (500, "its log says where")],
)
def test_a_route_that_something_in_the_app_refuses_says_what_does_so(status: int, words: str) -> None:
    [one] = wrong(found(answers(metrics=(status, "busy"))))
    assert (one.name, one.status) == ("route", Status.FAILED)
    assert one.message.startswith(f"/metrics: {status}: ")
    assert words in one.message


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, "it asks for a token, and none is set here"),
        ({"CHATBOT_OTEL_ENDPOINT_TOKEN": "wrong"}, "another token than CHATBOT_OTEL_ENDPOINT_TOKEN here"),
    ],
)
def test_a_route_that_asks_for_a_token_says_whether_there_was_one(
    environ: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = wrong(found(answers(metrics=(401, ""), health_ready=(401, "")), monkeypatch, **environ))
    assert [one.name for one in told] == ["route", "token"], "nobody's token is asked for at /health/ready"
    assert said in told[1].message


def test_the_token_is_sent_to_the_routes_that_ask_for_one_and_to_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = config.Settings(endpoint_token="t0ken")
    monkeypatch.setattr(config, "current", lambda: settings)
    seen: list[tuple[str, dict[str, str]]] = []
    with answering(answers(), seen) as address:
        list(app(address))
    sent = {path for path, headers in seen if headers.get("Authorization") == "Bearer t0ken"}
    assert sent == {"/metrics", "/metrics/json", "/health/detailed"}


def test_routes_on_a_port_of_their_own_are_asked_there(monkeypatch: pytest.MonkeyPatch) -> None:
    apart: list[tuple[str, dict[str, str]]] = []
    with answering(answers(), apart) as other:
        settings = config.Settings(endpoint_port=int(other.rpartition(":")[2]))
        monkeypatch.setattr(config, "current", lambda: settings)
        at_app: list[tuple[str, dict[str, str]]] = []
        with answering(answers(), at_app) as address:
            list(app(address))
    assert {path for path, _ in apart} == {"/metrics", "/metrics/json", "/health/detailed"}
    assert not {path for path, _ in apart} & {path for path, _ in at_app}


FIGURES = (
    'chatbot_telemetry_dropped_total{chatbot_telemetry_signal="logs",chatbot_telemetry_reason="queue_full"} 5\n'
    'chatbot_telemetry_dropped_total{chatbot_telemetry_signal="traces",chatbot_telemetry_reason="queue_full"} 0\n'
    'chatbot_telemetry_dropped_total{chatbot_telemetry_signal="metrics",chatbot_telemetry_reason="series_limit"} 9\n'
    'own_many{otel_metric_overflow="true"} 9\n'
)


def test_what_was_dropped_and_which_metric_is_full_are_read_from_the_apps_own_figures() -> None:
    told = {one.name: one for one in found(answers(metrics=(200, COUNTED + FIGURES)))}
    assert (told["dropped"].status, told["dropped"].message) == (Status.WARNING, "5 logs were dropped: queue_full")
    assert told["series-limit"].message.startswith("own_many has reached its limit of series")
    assert "counted" not in told
    nothing = found(answers(metrics=(200, "")))
    assert [one.message for one in nothing if one.name == "counted"] == ["no request has been counted yet"]


def test_figures_that_are_empty_are_said_in_the_apps_own_words_and_lost_ones_are_a_warning() -> None:
    each = {"figure": "a", "name": "a", "status": LOST, "why": "prices are missing", "remedy": "install them"}
    meant = {**each, "figure": "b", "name": "b", "status": "meant", "why": "no call", "remedy": ""}
    body = json.dumps({"status": "healthy", "system": {"empty_figures": [each, meant]}})
    told = [one for one in found(answers(health_detailed=(200, body))) if one.name == "empty-figure"]
    assert [one.status for one in told] == [Status.WARNING, Status.WELL]
    assert (told[0].message, told[0].remedy) == ("empty: a: prices are missing", "install them")
    assert told[1].message == "empty: b: no call"
