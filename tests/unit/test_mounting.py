"""A view of ours in a Flask app looks like a plain function of the app's: name, module, text, and no parameter."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import pytest
from flask import Flask
from werkzeug.wrappers import Response

from otel_chatbot._mounting import name_of, view_function


def shown(environ: Mapping[str, Any]) -> Response:
    """Says which path was asked for."""
    return Response(environ["PATH_INFO"], 203)


@pytest.mark.parametrize(
    ("path", "name"),
    [("/metrics", "metrics"), ("/metrics/json", "metrics_json"), ("/health/", "health")],
)
def test_the_name_of_a_view_is_its_path_in_words(path: str, name: str) -> None:
    assert name_of(path) == name


def test_a_view_answers_with_the_environ_of_the_request() -> None:
    app = Flask("chat")
    app.add_url_rule("/plain", view_func=view_function("/plain", shown))
    answer = app.test_client().get("/plain")
    assert (answer.text, answer.status_code) == ("/plain", 203)


def test_extensions_that_ask_a_view_for_its_name_text_and_parameters_get_those_of_a_plain_function() -> None:
    view = view_function("/metrics/json", shown)
    assert (view.__name__, view.__qualname__, view.__module__) == ("metrics_json", "metrics_json", __name__)
    assert view.__doc__ == "Says which path was asked for."
    assert list(inspect.signature(view).parameters) == []
    assert inspect.isfunction(view)


def test_two_views_of_one_function_are_two_functions_with_names_of_their_own() -> None:
    first, second = view_function("/health", shown), view_function("/health/live", shown)
    assert first is not second
    assert (first.__name__, second.__name__) == ("health", "health_live")
