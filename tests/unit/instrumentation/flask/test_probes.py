"""What tells probes and scrapes from the app's own requests: the paths of our routes, and a mark in the context."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from opentelemetry import context as otel_context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import Decision, Sampler
from opentelemetry.sdk.trace.sampling import SamplingResult as Result
from support.flask_hooks import Watch, hooked

from otel_chatbot.instrumentation.flask import routes
from otel_chatbot.instrumentation.flask.probes import ALWAYS, PATHS, PROBE
from otel_chatbot.instrumentation.flask.server_span import ServerSpans


@pytest.fixture
def watch() -> Iterator[Watch]:
    with hooked() as found:
        yield found


def test_the_paths_are_those_of_the_routes_that_are_mounted(watch: Watch) -> None:
    app = Flask("probes", static_folder=None)
    app.test_client().get("/")
    assert {rule.rule for rule in app.url_map.iter_rules()} == PATHS
    assert {*routes.mounted(app).always} == ALWAYS < PATHS


class Watching(Sampler):
    """Samples all, and remembers whether it found the mark."""

    def __init__(self) -> None:
        self.found: list[object] = []

    def should_sample(self, parent_context, trace_id, name, kind=None, attributes=None, links=None, trace_state=None) -> Result:
        self.found.append(otel_context.get_value(PROBE, parent_context))
        return Result(Decision.RECORD_AND_SAMPLE)

    def get_description(self) -> str:
        return "Watching"


@pytest.mark.parametrize(("probe", "mark"), [(True, True), (False, None)])
def test_whoever_decides_on_a_span_finds_the_mark_in_the_context_of_a_probe_alone(probe: bool, mark: bool | None) -> None:
    sampler = Watching()
    provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
    _, running = ServerSpans(provider).start({}, "GET", "/health/live", None, 1, shown="/health/live", probe=probe)
    assert sampler.found == [mark]
    provider.get_tracer("x").start_span("a command under it", running)
    assert sampler.found == [mark, mark]
