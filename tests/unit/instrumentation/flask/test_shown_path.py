"""Paths in spans and access records: a route's variables are ids of people, and none of their values is shown."""

from __future__ import annotations

import pytest
from flask import Flask, send_from_directory
from support.flask_hooks import hooked

SECRET = "reset-token-4711"


def app() -> Flask:
    made = Flask("paths", static_folder=None)
    made.add_url_rule("/plain", view_func=lambda: "plain", endpoint="plain")
    made.add_url_rule("/people/<user_id>", view_func=lambda user_id: user_id, endpoint="people", methods=["GET"])
    made.add_url_rule("/rooms/<name>/", view_func=lambda name: name, endpoint="rooms")
    made.add_url_rule("/files/<path:filename>", view_func=lambda filename: send_from_directory("/nowhere", filename))
    return made


@pytest.mark.parametrize(
    ("method", "path", "status", "name", "shown"),
    [
        ("GET", "/plain", 200, "GET /plain", "/plain"),
        ("GET", f"/people/{SECRET}", 200, "GET /people/<user_id>", "/people/<user_id>"),
        ("POST", f"/people/{SECRET}", 405, "POST /people/<user_id>", "/people/<user_id>"),
        ("BREW", f"/people/{SECRET}", 405, "HTTP", "/people/<user_id>"),
        ("GET", f"/rooms/{SECRET}", 308, "GET /rooms/<name>/", "/rooms/<name>/"),
        ("GET", "/files/logo.svg", 404, "GET /files/<path:filename>", "/files/logo.svg"),
        ("GET", "/no/such/page", 404, "GET /no/such/page", "/no/such/page"),
    ],
)
def test_a_path_is_shown_without_the_values_of_its_variables(
    method: str, path: str, status: int, name: str, shown: str
) -> None:
    with hooked() as watch:
        assert app().test_client().open(path, method=method).status_code == status
    [span] = watch.spans
    [access] = watch.access
    assert (span.name, span.attributes["url.path"], access.__dict__["endpoint"]) == (name, shown, shown)
    assert SECRET not in span.to_json() + access.getMessage() + str(vars(access))


def test_a_span_of_another_instrumentation_is_shown_no_more_than_ours() -> None:
    from opentelemetry.instrumentation.flask import FlaskInstrumentor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    theirs = TracerProvider(shutdown_on_exit=False)
    theirs.add_span_processor(SimpleSpanProcessor(exporter))
    made = app()
    FlaskInstrumentor().instrument_app(made, tracer_provider=theirs)
    with hooked() as watch:
        assert made.test_client().get(f"/people/{SECRET}?q={SECRET}").status_code == 200
        FlaskInstrumentor().uninstrument_app(made)
    assert watch.spans == []
    [span] = exporter.get_finished_spans()
    attributes = span.attributes or {}
    # Which of the two vocabularies it is, upstream decides once a process.
    assert attributes.get("url.path", attributes.get("http.target")) == "/people/<user_id>"
    assert SECRET not in span.to_json()
