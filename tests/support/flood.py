"""Requests without end to random paths, methods, query strings and ids, in one process; prints what grew, as JSON lines.

    python flood.py REQUESTS STEPS

The app is called as a server calls it, through WSGI, for a socket would take most of the time; `flood:app` is for a server.
Fed by the command line; feeds the tests of what stays flat. Runs under `opentelemetry-instrument`.
"""

import gc
import json
import logging
import os
import random
import string
import sys
import uuid
from io import BytesIO

from flask import Flask, abort, jsonify, request

from otel_chatbot.metrics import view

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "BREW", "x" * 50)
PAGE = os.sysconf("SC_PAGE_SIZE")
dice = random.Random(11)

app = Flask(__name__)


@app.route("/chat", methods=["GET", "POST"])
def chat():
    return jsonify(answer=(request.get_json(silent=True) or {}).get("message", ""))


@app.get("/conversations/<conversation_id>")
def conversation(conversation_id):
    return conversation_id if conversation_id[0] in "0123456789" else abort(404)


@app.get("/users/<path:name>/<int:number>")
def user(name, number):
    if number % 2 == 0:
        raise type(f"Error{number % 3}", (Exception,), {})(name)
    return f"{name} {number}"


def word(longest=12):
    return "".join(dice.choices(string.ascii_letters + string.digits + "-_.~%é /", k=dice.randint(1, longest)))


def path():
    return dice.choice(
        (
            lambda: "/chat",
            lambda: f"/conversations/{uuid.UUID(int=dice.getrandbits(128))}",
            lambda: f"/users/{word()}/{dice.randrange(10**9)}",
            lambda: "/" + "/".join(word() for _ in range(dice.randint(1, 5))),
            lambda: "/" + word(400),
        )
    )()


def environ():
    body = json.dumps({"message": word(80), "user_id": str(uuid.UUID(int=dice.getrandbits(128))), word(): word()}).encode()
    return {
        "REQUEST_METHOD": dice.choice(METHODS),
        "PATH_INFO": path().encode().decode("latin-1"),
        "QUERY_STRING": "&".join(f"{word()}={word(40)}" for _ in range(dice.randint(0, 4))).encode().decode("latin-1"),
        "SERVER_NAME": word(),
        "SERVER_PORT": str(dice.randrange(65536)),
        "SERVER_PROTOCOL": dice.choice(("HTTP/1.1", "HTTP/1.0", f"HTTP/{dice.randrange(4, 1000)}")),
        "HTTP_HOST": f"{uuid.UUID(int=dice.getrandbits(128))}.example",
        "HTTP_USER_AGENT": word(200),
        "HTTP_X_USER_ID": str(dice.getrandbits(64)),
        "HTTP_TRACEPARENT": f"00-{dice.getrandbits(128):032x}-{dice.getrandbits(64):016x}-{dice.choice(('00', '01'))}",
        f"HTTP_X_{word().upper()}": word(),
        "REMOTE_ADDR": ".".join(str(dice.randrange(256)) for _ in range(4)),
        "REMOTE_PORT": str(dice.randrange(65536)),
        "wsgi.url_scheme": dice.choice(("http", "https", word())),
        "wsgi.input": BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
    }


def ask():
    body = app(environ(), lambda status, headers, exc_info=None: None)
    for _ in body:
        pass
    if hasattr(body, "close"):
        body.close()


def grown():
    gc.collect()
    families = view.read()
    series = {family.spec.name: len(family.points) + len(family.histograms) for family in families}
    with open("/proc/self/statm") as statm:
        rss = int(statm.read().split()[1]) * PAGE
    requests = sum(point.value for family in families if family.spec.name == "chatbot.api.requests" for point in family.points)
    return {
        "rss": rss,
        "series": sum(series.values()),
        "largest": max(series.items(), key=lambda item: item[1]),
        "requests": requests,
    }


def main():
    total, steps = int(sys.argv[1]), int(sys.argv[2])
    logging.getLogger(app.name).setLevel(logging.CRITICAL)  # tracebacks of the app's own failures
    for _ in range(steps):
        for _ in range(total // steps):
            ask()
        print(json.dumps(grown()), flush=True)


if __name__ == "__main__":
    main()
