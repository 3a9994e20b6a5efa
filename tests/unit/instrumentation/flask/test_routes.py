"""The six routes in apps that stand in their way: mounted once, answering probes, counted in nothing, watched."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import flask
import pytest
from flask import Blueprint, Flask
from support.flask_hooks import Watch, hooked
from support.health import fresh_health
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from otel_chatbot.health.views import create_health_blueprint
from otel_chatbot.instrumentation.flask import routes
from otel_chatbot.instrumentation.flask.probes import ALWAYS, PATHS
from otel_chatbot.metrics.blueprint import create_metrics_blueprint
from otel_chatbot.semconv import metrics as m


@pytest.fixture
def watch() -> Iterator[Watch]:
    routes._refusals.clear()
    routes._told.clear()
    with fresh_health(), hooked() as found:
        yield found


def plain_app(**options) -> Flask:
    app = Flask("plain", **options)
    app.add_url_rule("/", "home", lambda: "home")
    return app


def nothing_counted(watch: Watch) -> bool:
    specs = (m.API_REQUESTS, m.RESPONSE_TIME, m.HTTP_SERVER_DURATION, m.ERRORS, m.HTTP_SERVER_ACTIVE)
    return not any(watch.counted(spec) for spec in specs) and watch.access == []


def test_the_six_routes_answer_in_an_app_that_knows_nothing_of_them_and_count_nowhere(watch: Watch) -> None:
    client = plain_app().test_client()
    assert {path: client.get(path).status_code for path in PATHS} == dict.fromkeys(PATHS, 200)
    assert client.get("/health/live").json["status"] == "healthy"
    assert nothing_counted(watch)
    assert {span.attributes["http.route"] for span in watch.spans} == PATHS


def with_catch_all() -> Flask:
    app = plain_app()
    app.add_url_rule("/<path:path>", "all", lambda path: "caught", methods=["GET", "POST"])
    return app


def with_static_at_the_root() -> Flask:
    return plain_app(static_url_path="", static_folder="/nonexistent")


def with_login() -> Flask:
    app = plain_app()
    app.before_request(lambda: flask.redirect("/login"))
    return app


def with_trusted_hosts() -> Flask:
    app = plain_app()
    app.config["TRUSTED_HOSTS"] = ["chat.example"]
    return app


def with_host_matching() -> Flask:
    app = Flask("hosts", host_matching=True, static_host="chat.example")
    app.add_url_rule("/<path:path>", "all", lambda path: "caught", host="chat.example")
    return app


def with_subdomains() -> Flask:
    app = Flask("subdomains", subdomain_matching=True)
    app.config["SERVER_NAME"] = "chat.example"
    app.add_url_rule("/", "home", lambda: "home", subdomain="www")
    return app


def with_a_broken_session_store() -> Flask:
    class Broken(flask.sessions.SecureCookieSessionInterface):
        def open_session(self, app: Flask, request: flask.Request) -> None:
            raise ConnectionError("no session store")

    app = plain_app()
    app.session_interface = Broken()
    return app


@pytest.mark.parametrize(
    "make",
    [
        with_catch_all, with_static_at_the_root, with_login, with_trusted_hosts, with_host_matching, with_subdomains,
        with_a_broken_session_store,
    ],
)  # fmt: skip
def test_the_health_probes_answer_whatever_stands_before_the_apps_routes(watch: Watch, make) -> None:
    client = Client(make())
    for path in sorted(ALWAYS):
        answer = client.get(path, headers={"Host": "10.1.2.3:5000"})
        assert (answer.status_code, answer.json["status"]) == (200, "healthy")
    assert nothing_counted(watch)
    assert {span.name for span in watch.spans} == {f"GET {path}" for path in ALWAYS}


def test_a_catch_all_keeps_every_other_method_and_path(watch: Watch) -> None:
    client = with_catch_all().test_client()
    assert client.post("/health").data == b"caught"
    assert client.get("/elsewhere").data == b"caught"
    assert watch.counted(m.API_REQUESTS) == {("GET", "/<path:path>", 200): 1}


def test_an_apps_own_route_wins_and_the_others_are_mounted(watch: Watch, caplog: pytest.LogCaptureFixture) -> None:
    app = plain_app()
    app.add_url_rule("/health", "own", lambda: "my own")
    app.add_url_rule("/metrics", "push", lambda: "pushed", methods=["POST"])
    client = app.test_client()
    with caplog.at_level(logging.INFO, "otel_chatbot"):
        assert client.get("/health").data == b"my own"
        assert client.get("/health").data == b"my own"
    assert client.get("/health/live").json["status"] == "healthy"
    assert client.post("/metrics").data == b"pushed"
    assert b"chatbot_api_requests_total" in client.get("/metrics").data
    lines = [record.getMessage() for record in caplog.records if "not mounted" in record.getMessage()]
    assert lines == ["app plain answers /health itself; the package's routes there are not mounted"]
    assert nothing_counted(watch)


def test_blueprints_registered_by_hand_win_also_under_a_prefix_and_are_told_from_the_apps_requests(watch: Watch) -> None:
    app = plain_app()
    app.register_blueprint(create_health_blueprint(), url_prefix="/internal")
    app.register_blueprint(create_metrics_blueprint())
    client = app.test_client()
    assert client.get("/internal/health/live").json["status"] == "healthy"
    assert client.get("/internal/health/live").status_code == 200
    assert client.get("/metrics").status_code == 200
    assert nothing_counted(watch)
    assert client.get("/health").status_code == 404


def test_blueprints_registered_by_hand_obey_the_apps_hooks(watch: Watch) -> None:
    app = with_login()
    app.register_blueprint(create_health_blueprint())
    assert app.test_client().get("/health").status_code == 302


def test_a_blueprint_of_the_apps_own_that_has_our_name_is_left_alone(watch: Watch) -> None:
    app = plain_app()
    own = Blueprint("health", "own")
    own.add_url_rule("/health", "health", lambda: "blue")
    app.register_blueprint(own)
    assert app.test_client().get("/health").data == b"blue"


def test_every_app_of_a_process_has_its_own_routes_also_behind_a_mount(watch: Watch) -> None:
    front, back = plain_app(), with_login()
    client = Client(DispatcherMiddleware(front, {"/back": back}))
    assert client.get("/health/live").status_code == 200
    assert client.get("/back/health/live").status_code == 200
    assert client.get("/back/").status_code == 302
    front.wsgi_app = DispatcherMiddleware(front.wsgi_app, {"/inner": plain_app()})
    assert Client(front).get("/inner/health/ready").status_code == 200
    assert watch.counted(m.API_REQUESTS) == {("GET", "/", 302): 1}


def test_an_app_mounted_by_its_wsgi_app_has_the_routes(watch: Watch) -> None:
    client = Client(DispatcherMiddleware(with_login().wsgi_app, {}))
    assert client.get("/health/ready").status_code == 200


@pytest.mark.parametrize(
    ("make", "status", "word"),
    [(with_login, 302, "before_request"), (with_trusted_hosts, 400, "TRUSTED_HOSTS"), (with_host_matching, 404, "host")],
)
def test_a_scrape_that_the_app_refuses_is_named_once_with_the_remedy(
    watch: Watch, caplog: pytest.LogCaptureFixture, make, status: int, word: str
) -> None:
    client = Client(make())
    with caplog.at_level(logging.WARNING, "otel_chatbot"):
        for _ in range(3):
            assert client.get("/metrics", headers={"Host": "10.1.2.3"}).status_code == status
    lines = [record.getMessage() for record in caplog.records if "/metrics" in record.getMessage()]
    (line,) = lines
    assert f"/metrics answers {status}" in line
    assert word in line
    assert [(refusal.path, refusal.status) for refusal in routes.refusals()] == [("/metrics", status)]
    client.get("/health/live")
    assert nothing_counted(watch)


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (429, "limiter.request_filter"),
        (503, "maintenance"),
        (405, "no GET"),
        (500, "its log says where"),
        (418, "before_request"),
    ],
)
@pytest.mark.parametrize("hook", ["before", "after"])
def test_a_hook_that_refuses_now_and_then_is_named_once_with_the_remedy(
    watch: Watch, caplog: pytest.LogCaptureFixture, status: int, word: str, hook: str
) -> None:
    app, asked = plain_app(), [0]

    def refuses() -> bool:
        asked[0] += flask.request.path == "/metrics"
        return flask.request.path == "/metrics" and asked[0] % 2 == 0

    @app.after_request
    def after(answer: flask.Response) -> flask.Response:
        return flask.Response("no", status) if hook == "after" and refuses() else answer

    @app.before_request
    def before() -> flask.Response | None:
        return flask.Response("no", status) if hook == "before" and refuses() else None

    client = app.test_client()
    with caplog.at_level(logging.WARNING, "otel_chatbot"):
        answers = [client.get("/metrics").status_code for _ in range(6)]
    assert answers == [200, status] * 3
    [line] = [record.getMessage() for record in caplog.records if "/metrics" in record.getMessage()]
    assert line.startswith(f"/metrics answers {status}: ")
    assert word in line
    assert [(refusal.path, refusal.status) for refusal in routes.refusals()] == [("/metrics", status)]


def test_what_our_views_answer_and_who_asks_by_another_method_is_no_refusal(
    watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "otel_chatbot"):
        client = plain_app().test_client()
        assert client.post("/metrics").status_code == 405
        routes.watch("/health/detailed", 503, reached=False)
    assert routes.refusals() == []
    assert [record for record in caplog.records if "answers" in record.getMessage()] == []


def test_a_route_that_answers_again_is_no_longer_reported(watch: Watch) -> None:
    app, locked = plain_app(), [True]
    app.before_request(lambda: flask.abort(401) if locked[0] else None)
    client = app.test_client()
    client.get("/health/detailed")
    assert [refusal.path for refusal in routes.refusals()] == ["/health/detailed"]
    locked[0] = False
    client.get("/health/detailed")
    assert routes.refusals() == []


def test_url_building_and_the_list_of_routes_still_work(watch: Watch) -> None:
    app = plain_app()
    app.test_client().get("/")
    with app.test_request_context():
        assert flask.url_for("home") == "/"
    assert {rule.rule for rule in app.url_map.iter_rules()} >= PATHS
