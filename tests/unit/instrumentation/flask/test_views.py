"""Our views in an app are functions like the app's own, and what the app registers itself is the app's, whenever it does."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Blueprint, Flask
from flask.views import MethodView
from support.flask_hooks import Watch, hooked
from support.health import fresh_health

from otel_chatbot.health.views import create_health_blueprint
from otel_chatbot.instrumentation.flask.probes import PATHS
from otel_chatbot.metrics.blueprint import create_metrics_blueprint
from otel_chatbot.semconv import metrics as m


@pytest.fixture
def watch() -> Iterator[Watch]:
    with fresh_health(), hooked() as found:
        yield found


def mounted() -> Flask:
    app = Flask("mounted")
    app.test_client().get("/health/live")
    return app


def by_hand() -> Flask:
    app = Flask("by-hand")
    app.register_blueprint(create_metrics_blueprint())
    app.register_blueprint(create_health_blueprint(), url_prefix="/")
    return app


@pytest.mark.parametrize("make", [mounted, by_hand])
def test_our_views_are_plain_functions_each_with_a_name_of_its_own(watch: Watch, make: Callable[[], Flask]) -> None:
    app = make()
    views = {rule.rule: app.view_functions[rule.endpoint] for rule in app.url_map.iter_rules() if rule.rule in PATHS}
    assert views.keys() == PATHS
    for path, view in views.items():
        assert inspect.isfunction(view)
        assert view.__name__ == view.__qualname__ == path.strip("/").replace("/", "_")
        assert view.__module__ in {"otel_chatbot.metrics.blueprint", "otel_chatbot.health.views"}
        assert view.__doc__.startswith("GET /")
        assert inspect.signature(view).parameters == {}
        assert inspect.unwrap(view) is view
    assert len({f"{view.__module__}.{view.__name__}" for view in views.values()}) == len(PATHS)


def test_an_endpoint_that_the_app_has_already_stays_the_apps(watch: Watch) -> None:
    app = Flask("own")
    app.add_url_rule("/mine", "otel_chatbot_metrics", lambda: "mine")
    app.add_url_rule("/mine-too", "otel_chatbot_metrics_", lambda: "mine too")
    client = app.test_client()
    assert [client.get(path).text for path in ("/mine", "/mine-too")] == ["mine", "mine too"]
    assert "chatbot_api_requests_total" in client.get("/metrics").text


def otel_chatbot_metrics() -> str:
    return "mine"


def by_rule(app: Flask) -> None:
    app.add_url_rule("/mine", "otel_chatbot_metrics", lambda: "mine")


def by_decorator(app: Flask) -> None:
    app.get("/mine")(otel_chatbot_metrics)


def by_class(app: Flask) -> None:
    class Mine(MethodView):
        def get(self) -> str:
            return "mine"

    app.add_url_rule("/mine", view_func=Mine.as_view("otel_chatbot_metrics"))


def by_keywords(app: Flask) -> None:
    app.add_url_rule(rule="/mine", endpoint="otel_chatbot_metrics", view_func=lambda: "mine", methods=["GET"])


@pytest.mark.parametrize("register", [by_rule, by_decorator, by_class, by_keywords])
def test_an_endpoint_that_the_app_registers_after_us_is_the_apps(watch: Watch, register: Callable[[Flask], None]) -> None:
    app = mounted()  # a probe mounts our routes and leaves the app open for more
    register(app)
    client = app.test_client()
    with app.test_request_context():
        assert app.url_for("otel_chatbot_metrics") == "/mine"
    assert client.get("/mine").text == "mine"
    assert "chatbot_api_requests_total" in client.get("/metrics").text
    assert client.get("/metrics").status_code == 200
    assert sorted({key[1] for key in watch.counted(m.API_REQUESTS)}) == ["/mine"]


def in_a_blueprint(app: Flask) -> None:
    blueprint = Blueprint("own", "own")
    for path in ("/metrics", "/health", "/health/ready"):
        blueprint.add_url_rule(path, path.replace("/", "_"), lambda: "mine")
    app.register_blueprint(blueprint)


def in_the_app(app: Flask) -> None:
    for path in ("/metrics", "/health", "/health/ready"):
        app.add_url_rule(path, path, lambda: "mine")


@pytest.mark.parametrize("register", [in_a_blueprint, in_the_app])
def test_a_path_that_the_app_registers_after_us_is_the_apps(watch: Watch, register: Callable[[Flask], None]) -> None:
    app = mounted()
    register(app)
    client = app.test_client()
    assert {path: client.get(path).text for path in ("/metrics", "/health", "/health/ready")} == {
        "/metrics": "mine", "/health": "mine", "/health/ready": "mine"
    }  # fmt: skip
    assert client.get("/metrics/json").json["metrics"]
    assert client.get("/health/live").json["status"] == "healthy"
    assert {rule.endpoint for rule in app.url_map.iter_rules()} >= app.view_functions.keys()


def test_a_path_of_another_method_leaves_ours(watch: Watch) -> None:
    app = mounted()
    app.add_url_rule("/metrics", "push", lambda: "pushed", methods=["POST"])
    client = app.test_client()
    assert client.post("/metrics").text == "pushed"
    assert "chatbot_api_requests_total" in client.get("/metrics").text


def test_registering_in_an_app_that_was_not_called_yet_is_as_ever(watch: Watch) -> None:
    app = Flask("fresh")
    app.add_url_rule("/one", "one", lambda: "one")
    with pytest.raises(AssertionError, match="overwriting an existing endpoint function: one"):
        app.add_url_rule("/two", "one", lambda: "two")
    with pytest.raises(TypeError):
        app.add_url_rule()  # type: ignore[call-arg]


def test_views_that_an_extension_wraps_are_still_known_as_ours(watch: Watch) -> None:
    app = mounted()
    for endpoint, view in list(app.view_functions.items()):

        @functools.wraps(view)
        def wrapped(*args: Any, _view: Any = view, **kwargs: Any) -> Any:
            return _view(*args, **kwargs)

        app.view_functions[endpoint] = wrapped
    client = app.test_client()
    assert {path: client.get(path).status_code for path in PATHS} == dict.fromkeys(PATHS, 200)
    assert sorted({key[1] for key in watch.counted(m.API_REQUESTS)}) == []
