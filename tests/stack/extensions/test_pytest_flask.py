"""An app's own tests by pytest-flask, with flask-login and sessions of flask-session: they pass, and see what they see without us."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.process import Process

SUITE = '''
import json
import urllib.request

import flask
import flask_login
import pytest
from cachelib import FileSystemCache
from flask import Flask, jsonify, request, session, stream_with_context, url_for
from flask_session import Session

SEEN = {}


class User(flask_login.UserMixin):
    def __init__(self, name):
        self.id = name


def shown(answer):
    """Status, headers and body as the client has them; what differs from run to run is left out."""
    headers = [(name, value.split("=")[0] if name == "Set-Cookie" else value) for name, value in answer.headers]
    return [answer.status_code, sorted(pair for pair in headers if pair[0] != "Date"), answer.text]


@pytest.fixture
def app(tmp_path):
    app = Flask("shop")
    app.config.update(SECRET_KEY="k", TESTING=True, SESSION_TYPE="cachelib", SESSION_CACHELIB=FileSystemCache(str(tmp_path)))
    Session(app)
    flask_login.LoginManager(app).user_loader(User)
    app.test_client_class = flask_login.FlaskLoginClient

    @app.get("/page")
    def page():
        return "page"

    @app.post("/login")
    def login():
        flask_login.login_user(User(request.form["username"]))
        return jsonify(fresh=flask_login.login_fresh())

    @app.get("/me")
    @flask_login.login_required
    def me():
        session["visits"] = session.get("visits", 0) + 1
        return jsonify(me=flask_login.current_user.get_id(), visits=session["visits"])

    @app.post("/chat")
    def chat():
        return flask.Response(stream_with_context(word + request.args.get("mark", "") for word in ("a ", "b ")))

    @app.get("/fails")
    def fails():
        raise LookupError("fails")

    yield app
    SEEN["torn down"] = SEEN.get("torn down", 0) + 1


@pytest.fixture(scope="session", autouse=True)
def told():
    yield
    with open("seen.json", "w") as file:
        json.dump(SEEN, file)


def test_the_pushed_context_is_the_tests_own(client):
    assert (url_for("page"), request.path) == ("/page", "/")
    SEEN["page"] = shown(client.get(url_for("page")))
    assert request.path == "/page"


def test_who_is_not_logged_in_gets_no_page(client):
    SEEN["me"] = shown(client.get("/me"))
    assert client.get("/me").status_code == 401


def test_a_login_is_kept_in_the_servers_session(client):
    SEEN["login"] = shown(client.post("/login", data={"username": "ada"}))
    SEEN["visits"] = [shown(client.get("/me")) for _ in range(2)]
    assert client.get("/me").json == {"me": "ada", "visits": 3}


def test_the_client_of_flask_login(app):
    with app.test_client(user=User("bob"), fresh_login=False) as client:
        assert client.get("/me").json["me"] == "bob"
        assert session["_user_id"] == "bob" and flask_login.current_user.id == "bob"
        SEEN["session"] = sorted(session)


def test_a_streamed_answer(client):
    SEEN["stream"] = shown(client.post("/chat?mark=!"))
    assert request.path == "/chat"


def test_exceptions_reach_the_test(client):
    with pytest.raises(LookupError):
        client.get("/fails")


@pytest.mark.options(testing=False, propagate_exceptions=False)
def test_an_option_makes_them_an_answer(client, config):
    assert config["TESTING"] is False
    SEEN["fails"] = shown(client.get("/fails"))


@pytest.mark.usefixtures("client_class")
class TestClass:
    def test_the_client_is_there(self):
        assert self.client.get("/page").text == "page"


def test_accepting_json(client, accept_json):
    assert client.get("/page", headers=accept_json).status_code == 200


def test_a_live_server(live_server):
    with urllib.request.urlopen(live_server.url("/page")) as answer:
        SEEN["live"] = [answer.status, answer.read().decode(), sorted(answer.headers.keys())]
'''


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "test_shop.py").write_text(SUITE)
    return tmp_path


def ran(suite: Path, environment: Path, *front: str) -> tuple[list[str], object]:
    """The outcomes of the suite, and what its tests saw."""
    options = ["-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "-o", "live_server_scope=function", "test_shop.py"]
    env = {"CHATBOT_OTEL_LOG_DIR": str(suite / "logs"), "PATH": f"{environment}:/usr/bin:/bin"}
    with Process([*front, str(environment / "python"), *options], suite, env, name="pytest" + "_".join(front)[-5:]) as process:
        assert process.popen.wait(120) == 0, process.stdout + process.stderr
        outcomes = sorted(
            line for line in process.stdout.splitlines() if line.startswith(("PASSED ", "FAILED ", "ERROR ")) and "::" in line
        )
    return outcomes, json.loads((suite / "seen.json").read_text())


def test_the_fixtures_of_an_apps_own_tests_behave_as_without_us(suite: Path, extensions: Path) -> None:
    outcomes, seen = ran(suite, extensions)
    assert len(outcomes) == 10
    assert ran(suite, extensions, str(extensions / "opentelemetry-instrument")) == (outcomes, seen)
