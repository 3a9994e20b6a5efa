"""Websockets on every server that can have them: a connection that ended well is no error, and nobody waited for its answer."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from support.extended import Extended
from support.process import wait_for

APP = Path(__file__).resolve().parents[1] / "apps" / "websockets.py"
ALONE = ["python", str(APP)]
GUNICORN = ["gunicorn", "-b", "127.0.0.1:{port}", "--chdir", str(APP.parent), "websockets:app"]
GEVENT_WEBSOCKET = "geventwebsocket.gunicorn.workers.GeventWebSocketWorker"

ECHO = """
import sys, websocket
connection = websocket.create_connection(f"ws://127.0.0.1:{sys.argv[1]}/echo/red", timeout=20)
connection.send("hello")
assert connection.recv() == "red hello"
if sys.argv[2] == "says goodbye":
    connection.send("bye")
    connection.close()
elif sys.argv[2] == "closes":
    connection.close()
else:
    connection.sock.close()
"""
BROKEN = """
import contextlib, sys, websocket
connection = websocket.create_connection(f"ws://127.0.0.1:{sys.argv[1]}/broken", timeout=20)
connection.send("hello")
with contextlib.suppress(Exception):
    connection.recv()
connection.close()
"""
SOCKET_IO = """
import sys, websocket
connection = websocket.create_connection(f"ws://127.0.0.1:{sys.argv[1]}/socket.io/?EIO=4&transport=websocket", timeout=20)
assert connection.recv().startswith("0{")
connection.send("40")
assert connection.recv().startswith("40{")
connection.send('420["say","hello"]')
assert connection.recv() == '430["echo hello"]'
connection.close()
"""

SERVERS = {
    "werkzeug": (ALONE, {}),
    "gunicorn sync": (GUNICORN, {}),
    "gunicorn gthread": ([*GUNICORN, "--threads", "4"], {}),
    "gunicorn gevent": ([*GUNICORN, "-k", "gevent"], {}),
    "pywsgi": (ALONE, {"SERVER": "pywsgi"}),
    "eventlet": (ALONE, {"SERVER": "eventlet"}),
}
SOCKET_IO_SERVERS = {
    "threading": (ALONE, {"MODE": "threading"}),
    "threading, gunicorn": ([*GUNICORN, "--threads", "4"], {"MODE": "threading"}),
    "gevent": (ALONE, {"MODE": "gevent"}),
    "gevent by simple-websocket": (ALONE, {"MODE": "gevent", "WITHOUT_GEVENT_WEBSOCKET": "1"}),
    "gevent, gunicorn": ([*GUNICORN, "-k", GEVENT_WEBSOCKET], {"MODE": "gevent"}),
    "gevent by simple-websocket, gunicorn": ([*GUNICORN, "-k", "gevent"], {"MODE": "gevent", "WITHOUT_GEVENT_WEBSOCKET": "1"}),
    "eventlet": (ALONE, {"MODE": "eventlet"}),
}


def talk(extensions: Path, code: str, app: Extended, *words: str) -> None:
    client = [str(extensions / "python"), "-c", code, str(app.port), *words]
    done = subprocess.run(client, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr + app.process.stderr


def ended(app: Extended, connections: int) -> None:
    """All connections have ended, all well: counted under 101, in no error, in no time that somebody waited for."""
    wait_for(lambda: app.total("chatbot_api_requests_total", http_response_status_code="101") == connections, "the end of it")
    assert app.total("chatbot_errors_total") == 0
    durations = app.samples("http_server_request_duration_seconds_count", http_response_status_code="101")
    assert sum(durations.values()) == connections
    assert all("error_type" not in dict(labels) for labels in durations)
    assert app.samples("chatbot_response_time_seconds_count", http_response_status_code="101") == {}
    assert app.samples("chatbot_response_time_seconds_count", http_response_status_code="500") == {}
    assert app.total("http_server_active_requests") == 0


@pytest.mark.parametrize("server", SERVERS)
def test_a_websocket_that_closed_well_is_no_error_and_one_that_broke_is_one(
    tmp_path: Path, extensions: Path, server: str
) -> None:
    command, env = SERVERS[server]
    with Extended(extensions, tmp_path, *command, env=env) as app:
        for how in ("says goodbye", "closes", "goes away"):
            talk(extensions, ECHO, app, how)
        ended(app, 3)
        assert app.total("chatbot_api_requests_total", http_route="/echo/<room>", http_response_status_code="101") == 3
        talk(extensions, BROKEN, app)
        wait_for(lambda: app.total("chatbot_errors_total", error_type="LookupError") == 1, "the broken one")
        assert app.total("chatbot_errors_total") == 1
        assert app.get("/echo/red").status == 400  # no websocket was asked for
        wait_for(lambda: len(app.spans()) >= 5, "the spans")
    spans = [(span.name, span.attributes.get("http.response.status_code"), span.error) for span in app.spans()]
    assert [found for found in spans if found[0] == "GET /echo/<room>"] == [("GET /echo/<room>", 101, False)] * 3
    assert ("GET /broken", 500, True) in spans


@pytest.mark.parametrize("server", SOCKET_IO_SERVERS)
def test_a_connection_of_socket_io_that_closed_well_is_no_error(tmp_path: Path, extensions: Path, server: str) -> None:
    command, env = SOCKET_IO_SERVERS[server]
    with Extended(extensions, tmp_path, *command, env=env) as app:
        talk(extensions, SOCKET_IO, app)
        ended(app, 1)
