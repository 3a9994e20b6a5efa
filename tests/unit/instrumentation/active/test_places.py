"""Where ids are found with no setting, in the ways in which real chatbots keep them, and where none may be taken."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from flask import Flask, Response, abort, g, request, session
from support.flask_hooks import hooked

from otel_chatbot import _wiring
from otel_chatbot.config import Settings
from otel_chatbot.instrumentation.active.gauges import CONVERSATIONS, USERS, ActiveWindows
from otel_chatbot.instrumentation.active.places import id_of
from otel_chatbot.instrumentation.common import chat_turn
from otel_chatbot.instrumentation.flask import hooks
from otel_chatbot.instrumentation.flask import request as flask_request

Seen = list[tuple[str, str]]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Seen]:
    """What was noted with the default settings, by kind and id, in order."""
    found: Seen = []
    replaced = ActiveWindows(Settings(), lambda: None)
    for kind, ids in replaced._ids.items():
        monkeypatch.setattr(ids, "see", lambda text, now=None, kind=kind: found.append((kind, text)) or b"")
    for module in (hooks, flask_request):
        monkeypatch.setattr(module, "ACTIVE", replaced)
    monkeypatch.setattr(_wiring, "NAMED_CONVERSATION", replaced.conversation)
    with hooked():
        yield found


def app_with(view: Callable[[], object], rule: str = "/") -> Flask:
    app = Flask("places")
    app.secret_key = "k"
    app.add_url_rule(rule, "view", view, methods=["GET", "POST"])
    return app


NAMES = ("user_id", "userId", "uid", "username", "userName", "user_name", "user")
CHATS = ("conversation_id", "conversationId", "chat_id", "chatId", "thread_id", "threadId", "conv_id", "convId", "conversation")


@pytest.mark.parametrize("name", NAMES)
def test_a_user_is_known_by_the_usual_names_in_json_form_and_query(seen: Seen, name: str) -> None:
    client = app_with(lambda: str((request.get_json(silent=True), request.form))).test_client()
    client.post("/", json={name: "a"})
    client.post("/", data={name: "b"})
    client.get(f"/?{name}=c")
    assert seen == [(USERS, "a"), (USERS, "b"), (USERS, "c")]


@pytest.mark.parametrize("name", CHATS)
def test_a_conversation_is_known_by_the_usual_names_in_json_form_query_path_and_session(seen: Seen, name: str) -> None:
    client = app_with(lambda: str((request.get_json(silent=True), request.form))).test_client()
    client.post("/", json={name: "a"})
    client.post("/", data={name: "b"})
    client.get(f"/?{name}=c")
    app_with(lambda **_: "x", f"/<{name}>").test_client().get("/d")
    app_with(lambda: session.update({name: "e"}) or "x").test_client().get("/")
    assert seen == [(CONVERSATIONS, letter) for letter in "abcde"]


@pytest.mark.parametrize("name", ["session_id", "sessionId"])
def test_a_session_is_a_conversation_and_stands_for_a_user_whose_name_nobody_knows(seen: Seen, name: str) -> None:
    client = app_with(lambda: str(request.get_json())).test_client()
    client.post("/", json={name: "s"})
    client.post("/", json={name: "s", "user_id": "u"})
    assert seen == [(USERS, "s"), (CONVERSATIONS, "s"), (USERS, "u"), (CONVERSATIONS, "s")]


@pytest.mark.parametrize("name", ["user_id", "userId", "uid", "username", "session_id", "sessionId", "sid"])
def test_a_cookie_of_the_apps_own_names_the_user_where_nothing_else_does(seen: Seen, name: str) -> None:
    client = app_with(lambda: str(request.get_json(silent=True))).test_client()
    client.set_cookie(name, "a")
    client.get("/")
    client.post("/", json={"user_id": "u"})
    assert [text for kind, text in seen if kind == USERS] == ["a", "u"]


@pytest.mark.parametrize("name", [*CHATS, "session_id", "sessionId"])
def test_a_cookie_of_the_apps_own_names_the_conversation_where_nothing_else_does(seen: Seen, name: str) -> None:
    client = app_with(lambda: str(request.get_json(silent=True))).test_client()
    client.set_cookie(name, "a")
    client.get("/")
    client.post("/", json={"chat_id": "c"})
    assert [text for kind, text in seen if kind == CONVERSATIONS] == ["a", "c"]


def test_a_message_of_twilios_is_from_its_number(seen: Seen) -> None:
    client = app_with(lambda: request.form["Body"]).test_client()
    client.post("/", data={"From": "whatsapp:+15551", "WaId": "15551", "Body": "x"})
    client.post("/", data={"From": "+15552", "Body": "x"})
    assert seen == [(USERS, "15551"), (USERS, "+15552")]


class _LoginUser:
    """As flask-login's `UserMixin`, of a mapper that sends a query for an attribute that it has not loaded."""

    is_authenticated = True
    is_anonymous = False

    def __init__(self) -> None:
        self.id = "sue"

    def get_id(self) -> str:
        raise AssertionError("asks the database")

    @property
    def email(self) -> str:
        raise AssertionError("asks the database")


class _Anonymous:
    is_anonymous = True
    is_authenticated = False


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("_login_user", _LoginUser(), "sue"),
        ("_login_user", _Anonymous(), None),
        ("_jwt_extended_jwt", {"sub": "jim", "exp": 1}, "jim"),
        ("_jwt_extended_jwt", {"sub": 7}, "7"),
        ("_jwt_extended_jwt", {}, None),
        ("flask_httpauth_user", "bob", "bob"),
        ("flask_httpauth_user", {"sub": "tok"}, "tok"),
        ("authlib_server_oauth2_token", {"sub": "auth"}, "auth"),
        ("authlib_server_oauth2_token", SimpleNamespace(user_id=9), "9"),
        ("identity", SimpleNamespace(id="prince"), "prince"),
        ("user", {"_id": "d", "email": "e@example.com"}, "d"),
        ("user", SimpleNamespace(username="named"), "named"),
        ("user", None, None),
        ("current_user", SimpleNamespace(id=uuid.UUID(int=3)), str(uuid.UUID(int=3))),
        ("user_id", 12, "12"),
        ("user_id", True, None),
        ("user_id", "Anonymous", None),
    ],
)
def test_an_identity_that_an_extension_or_the_app_has_verified_is_the_user(
    seen: Seen, name: str, value: object, expected: str | None
) -> None:
    def view() -> str:
        setattr(g, name, value)
        return "x"

    app_with(view).test_client().get("/")
    assert seen == ([] if expected is None else [(USERS, expected)])


def test_a_user_of_flask_login_is_known_by_the_id_in_the_session(seen: Seen) -> None:
    def view() -> str:
        session["_user_id"], g._login_user = "by-email@example.com", _LoginUser()
        return "x"

    app_with(view).test_client().get("/")
    assert seen == [(USERS, "by-email@example.com")]


def test_a_verified_identity_goes_before_the_session_and_that_before_what_the_client_says(seen: Seen) -> None:
    def view() -> str:
        said = request.get_json()
        if "g" in said:
            g.user = said["g"]
        if "session" in said:
            session["user"] = {"sub": said["session"]}
        return "x"

    client = app_with(view)
    client.test_client().post("/", json={"g": "g", "session": "s", "user_id": "j"})
    client.test_client().post("/", json={"session": "s", "user_id": "j"})
    client.test_client().post("/", json={"user_id": "j"}, headers={"X-Forwarded-User": "proxy"})
    assert seen == [(USERS, "g"), (USERS, "s"), (USERS, "proxy")]


def test_a_request_with_a_password_proves_nobody_but_the_session_that_it_opens_does(seen: Seen) -> None:
    def view() -> str:
        said = request.get_json(silent=True) or request.form
        if said["password"] == "right":
            session["user_id"] = said["username"]
        return "the form again"

    client = app_with(view).test_client()
    client.post("/", json={"username": "made-up", "password": "wrong"})
    client.post("/", data={"username": "made-up", "password": "wrong"})
    assert seen == []
    client.post("/", data={"username": "ann", "password": "right"})
    assert seen == [(USERS, "ann")]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_a_refused_request_makes_nobody_active(seen: Seen, status: int) -> None:
    client = app_with(lambda: abort(status) if request.get_json() else "").test_client()
    client.post("/", json={"user_id": "made-up", "conversation_id": "made-up"})
    assert seen == []


def test_a_redirect_makes_its_user_active(seen: Seen) -> None:
    app_with(lambda: Response(status=302)).test_client().get("/?user_id=u")
    assert seen == [(USERS, "u")]


def test_the_conversation_that_was_written_goes_before_the_one_that_was_named(seen: Seen) -> None:
    def view() -> str:
        chat_turn.met("written")
        return "x"

    app_with(view).test_client().get("/?conversation_id=named")
    assert seen == [(CONVERSATIONS, "written")]


def test_a_conversation_that_is_written_while_the_answer_streams_is_active(seen: Seen) -> None:
    def view() -> Response:
        def parts() -> Iterator[str]:
            yield "a"
            chat_turn.met("late")
            yield "b"

        return Response(parts())

    assert app_with(view).test_client().get("/").text == "ab"
    assert seen == [(CONVERSATIONS, "late")]


def test_looking_at_a_session_adds_no_header(seen: Seen) -> None:
    client = app_with(lambda: session.update(user_id="u") or "x" if request.args else "x").test_client()
    client.get("/?in=1")
    answer = client.get("/")
    assert "Vary" not in answer.headers
    assert seen == [(USERS, "u"), (USERS, "u")]


def test_a_query_that_is_no_utf8_names_nobody(seen: Seen) -> None:
    assert app_with(lambda: "x").test_client().get("/", environ_overrides={"QUERY_STRING": "user_id=\x80"}).text == "x"
    assert seen == []


@pytest.mark.parametrize("value", [None, "", "null", "undefined", 1.5, True, [], ["a"], {}, {"name": "x"}, b"a", object()])
def test_what_is_no_id_is_none(value: object) -> None:
    assert id_of(value) is None
