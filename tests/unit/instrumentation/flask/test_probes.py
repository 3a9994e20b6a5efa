"""What tells probes and scrapes from the app's own requests: the paths of our routes, and a mark in the context."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from opentelemetry import context as otel_context
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from support.flask_hooks import Watch, hooked

from otel_chatbot.instrumentation.flask import routes
from otel_chatbot.instrumentation.flask.probes import ALWAYS, PATHS, PROBE


@pytest.fixture
def watch() -> Iterator[Watch]:
    with hooked() as found:
        yield found


def test_the_paths_are_those_of_the_routes_that_are_mounted(watch: Watch) -> None:
    app = Flask("probes", static_folder=None)
    app.test_client().get("/")
    assert {rule.rule for rule in app.url_map.iter_rules()} == PATHS
    assert {*routes.mounted(app).always} == ALWAYS < PATHS


@pytest.mark.parametrize(("path", "marked"), [("/health/live", True), ("/metrics", True), ("/chat", False)])
def test_whoever_decides_on_a_span_finds_the_mark_in_the_context_of_a_probe_alone(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, path: str, marked: bool
) -> None:
    found: list[bool] = []
    decide = type(ALWAYS_ON).should_sample

    def should_sample(self, parent, *arguments, **named):
        found.append(bool(otel_context.get_value(PROBE, parent)))
        return decide(self, parent, *arguments, **named)

    monkeypatch.setattr(type(ALWAYS_ON), "should_sample", should_sample)
    app = Flask("probes")
    app.add_url_rule("/chat", "chat", lambda: "hi")
    with hooked():
        assert app.test_client().get(path).status_code in (200, 503)
    assert set(found) == {marked}
