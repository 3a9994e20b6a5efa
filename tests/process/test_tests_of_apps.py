"""An app's own tests see under the distribution what they see without it: contexts, streamed answers, sessions, headers.

One script with Flask's test client is run twice, plainly and under `opentelemetry-instrument`; what it prints must be the same.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.process import BIN, clean_env

HEAD = """
import json, logging, sys
import flask
from flask import current_app, g, request, session, stream_with_context
app = flask.Flask("shop")
app.secret_key = "k"
log = logging.getLogger("shop")
seen = {}
"""
TAIL = """
print(json.dumps(seen))
"""
STREAMS = """
ended = []
app.teardown_request(lambda error: ended.append(request.path))

@app.post("/chat")
def chat():
    @stream_with_context
    def answer():
        for word in ("a ", "b ", "c"):
            log.warning("a word")
            yield word + request.args.get("mark", "")
    return flask.Response(answer(), mimetype="text/event-stream")

@app.get("/plain")
def plain():
    g.word = "plain"
    session["seen"] = True
    return "x"

@app.get("/fails")
def fails():
    @stream_with_context
    def answer():
        yield "begun"
        raise LookupError(request.path)
    return flask.Response(answer())

@app.get("/closes")
def closes():
    response = flask.make_response("closed")
    response.call_on_close(lambda: ended.append("closed " + request.path))
    return response

@app.get("/away")
def away():
    return flask.redirect("/plain")

@app.get("/async")
async def in_a_loop():
    g.word = "async"
    return flask.Response(stream_with_context(iter(["a", "b"])))

with app.test_client() as client:
    seen["read whole"] = client.post("/chat?mark=!").text
    seen["its request"] = request.path
    seen["the next"] = [client.get("/plain").text, g.word, request.path, dict(session)]
    chunks = iter(client.post("/chat").response)
    seen["a piece"] = "".join(part if isinstance(part, str) else part.decode() for part in chunks)
    seen["redirected"] = [client.get("/away", follow_redirects=True).text, request.path]
    seen["async"] = [client.get("/async").text, g.word]
    seen["closed"] = client.get("/closes").text
    with client.session_transaction() as kept:
        kept["more"] = 1
    seen["transaction"] = client.get("/plain").text and dict(session)
    try:
        client.get("/fails").text
    except LookupError as error:
        seen["failure"] = str(error)
    abandoned = client.post("/chat")
    seen["buffered"] = client.post("/chat", buffered=True).text
    try:
        with client:
            pass
    except RuntimeError as error:
        seen["nested"] = str(error)
del abandoned
seen["no context is left"] = [flask.has_request_context(), flask.has_app_context()]
with app.test_request_context("/outer"):
    seen["in another request's"] = [app.test_client().post("/chat").text, request.path]
with app.app_context():
    seen["in an app's"] = [app.test_client().post("/chat").text, current_app.name]
class Login(flask.testing.FlaskClient):
    def __init__(self, *args, user, **more):
        super().__init__(*args, **more)
        with self.session_transaction() as kept:
            kept["_user_id"] = user
app.test_client_class = Login
with app.test_client(user="7") as client:
    seen["who is logged in"] = [client.post("/chat").text, dict(session)]
seen["torn down"] = ended
"""
SESSIONS = """
from flask.sessions import SecureCookieSessionInterface, SessionInterface, SessionMixin

app.get("/nothing", endpoint="nothing")(lambda: log.warning("a line") or "x")
app.get("/in", endpoint="in")(lambda: session.update(user_id="u", conversation_id="c") or "x")
app.get("/reads", endpoint="reads")(lambda: str(session.get("user_id")))
app.get("/asks", endpoint="asks")(lambda: str("user_id" in session))
app.get("/stays", endpoint="stays")(lambda: setattr(session, "permanent", True) or "x")

@app.get("/streams")
def streams():
    def answer():
        log.warning("a line")
        yield "x"
    return flask.Response(stream_with_context(answer()))

class Stored(SessionMixin):
    # Loads itself from its store at the first look, as sessions on a server do.
    accessed = modified = False
    def __init__(self):
        self.loads, self.kept = 0, None
    def loaded(self):
        self.accessed = True
        if self.kept is None:
            self.loads, self.kept = self.loads + 1, {"user_id": "u"}
        return self.kept
    def __getitem__(self, name): return self.loaded()[name]
    def __setitem__(self, name, value): self.loaded()[name] = value; self.modified = True
    def __delitem__(self, name): del self.loaded()[name]
    def __iter__(self): return iter(self.loaded())
    def __len__(self): return len(self.loaded())

class Server(SessionInterface):
    def open_session(self, app, request): return Stored()
    def save_session(self, app, kept, response):
        if kept.accessed:
            response.vary.add("Cookie")
        response.headers["X-Loads"] = str(kept.loads)

class Nobody(SecureCookieSessionInterface):
    def open_session(self, app, request): return None

def look(name, paths):
    with app.test_client() as client:
        for path in paths:
            answer = client.get(path)
            text = answer.text
            kept = vars(flask.globals.request_ctx._get_current_object())
            kept = kept.get("_session", kept.get("session"))
            cookie = (answer.headers.get("Set-Cookie") or "").partition("=")[0]
            seen[name + path] = [
                text, answer.headers.get("Vary"), cookie, answer.headers.get("X-Loads"),
                kept.accessed, kept.modified, kept.permanent if isinstance(kept, dict) else None,
            ]

PATHS = "/nothing", "/in", "/nothing", "/reads", "/nothing", "/streams", "/asks", "/nothing"
look("cookie", PATHS)
look("permanent", ("/stays", "/nothing"))
app.config["SESSION_REFRESH_EACH_REQUEST"] = False
look("not refreshed", ("/stays", "/nothing"))
app.session_interface = Nobody()
look("null", ("/nothing", "/reads", "/streams"))
app.session_interface = Server()
look("server", ("/nothing", "/reads", "/streams"))
"""
SETTINGS = {
    "CHATBOT_OTEL_USER_ID_FROM": "session:user_id,session:_user_id",
    "CHATBOT_OTEL_CONVERSATION_ID_FROM": "session:conversation_id",
}


def run(script: str, folder: Path, *, observed: bool) -> dict[str, Any]:
    """What the script prints, plainly or under the distribution."""
    logs = folder / "logs"
    front = [str(BIN / "opentelemetry-instrument")] if observed else []
    done = subprocess.run(
        [*front, sys.executable, "-c", HEAD + script + TAIL], cwd=folder, capture_output=True, text=True, timeout=120, check=False,
        env=clean_env({"CHATBOT_OTEL_LOG_DIR": str(logs), **SETTINGS}),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert logs.exists() is observed
    printed: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return printed


@pytest.mark.parametrize("script", [STREAMS, SESSIONS], ids=["contexts and streams", "sessions and headers"])
def test_flasks_test_client_shows_what_it_shows_without_us(script: str, tmp_path: Path) -> None:
    plain = run(script, tmp_path, observed=False)
    assert run(script, tmp_path, observed=True) == plain


def test_a_streamed_answer_in_the_usual_fixture_is_read_in_the_contexts_that_the_client_keeps(tmp_path: Path) -> None:
    seen = run(STREAMS, tmp_path, observed=True)
    assert seen["read whole"] == "a !b !c!"
    assert seen["the next"] == ["x", "plain", "/plain", {"seen": True}]
    assert seen["failure"] == "/fails"
    assert seen["no context is left"] == [False, False]


def test_no_vary_header_appears_and_no_session_is_loaded_that_the_app_did_not_look_into(tmp_path: Path) -> None:
    seen = run(SESSIONS, tmp_path, observed=True)
    assert seen["cookie/nothing"] == ["x", None, "", None, False, False, False]
    assert seen["cookie/reads"][1] == "Cookie"
    assert seen["server/nothing"] == ["x", None, "", "0", False, False, None]
    assert seen["server/reads"][:4] == ["u", "Cookie", "", "1"]
