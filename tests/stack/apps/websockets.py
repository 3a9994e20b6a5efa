"""Websockets by flask-sock (SOCK=1) or Flask-SocketIO (MODE: threading, gevent, eventlet), and one that its handler breaks."""

from __future__ import annotations

import os
import sys

if os.environ.get("WITHOUT_GEVENT_WEBSOCKET"):  # python-engineio then serves gevent's websockets by simple-websocket
    sys.modules["geventwebsocket"] = None  # type: ignore[assignment]

MODE = os.environ.get("MODE", "")
if MODE == "eventlet" or os.environ.get("SERVER") == "eventlet":
    import eventlet

    eventlet.monkey_patch()
elif MODE == "gevent" or os.environ.get("SERVER") == "pywsgi":
    from gevent import monkey

    monkey.patch_all()

from typing import Any  # noqa: E402

from flask import Flask  # noqa: E402 - after the monkey-patching

PORT = int(os.environ["PORT"])
app = Flask(__name__)


@app.get("/plain")
def plain() -> str:
    return "plain"


if MODE:
    from flask_socketio import SocketIO

    socketio = SocketIO(app, async_mode=MODE, cors_allowed_origins="*")

    @socketio.on("say")
    def say(text: str) -> str:
        return "echo " + text
else:
    from flask_sock import Sock

    sock = Sock(app)

    @sock.route("/echo/<room>")
    def echo(ws: Any, room: str) -> None:
        while (text := ws.receive()) != "bye":
            ws.send(f"{room} {text}")

    @sock.route("/broken")
    def broken(ws: Any) -> None:
        ws.receive()
        raise LookupError("no such room")


def serve() -> None:
    """Serve by the server that SERVER names, or by Flask-SocketIO's own."""
    server = os.environ.get("SERVER", "werkzeug")
    if MODE:
        socketio.run(app, host="127.0.0.1", port=PORT, allow_unsafe_werkzeug=True)
    elif server == "pywsgi":
        from gevent.pywsgi import WSGIServer

        WSGIServer(("127.0.0.1", PORT), app, log=None).serve_forever()
    elif server == "eventlet":
        import eventlet.wsgi

        eventlet.wsgi.server(eventlet.listen(("127.0.0.1", PORT)), app, log_output=False)
    else:
        app.run(host="127.0.0.1", port=PORT, threaded=True)


if __name__ == "__main__":
    serve()
