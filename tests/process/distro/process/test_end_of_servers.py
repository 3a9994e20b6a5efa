"""Every server is told to end while it answers: whoever was answered has a span, and the exit code is the server's own.

uvicorn raises the signal again when it has shut down, hypercorn and gunicorn end by themselves, waitress, cheroot and werkzeug
do nothing about SIGTERM.
"""

from __future__ import annotations

import contextlib
import http.client
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.distro import App, instrumented
from support.process import BIN, clean_env, get

from otel_chatbot.testing import OtlpSink

SLOW = {"OTEL_BSP_SCHEDULE_DELAY": "60000", "OTEL_BLRP_SCHEDULE_DELAY": "60000", "OTEL_METRIC_EXPORT_INTERVAL": "60000"}
SOURCE = """
import os, sys
from a2wsgi import WSGIMiddleware
from asgiref.wsgi import WsgiToAsgi
from flask import Flask
from opentelemetry import trace

app = Flask(__name__)
a2wsgi_app, asgiref_app = WSGIMiddleware(app), WsgiToAsgi(app)

@app.get("/<int:number>")
def answer(number):
    trace.get_current_span().set_attribute("answer.number", number)
    return str(number)

if __name__ == "__main__":
    port = int(os.environ["PORT"])
    if sys.argv[1:] == ["cheroot"]:
        from cheroot.wsgi import Server
        server = Server(("127.0.0.1", port), app)
        try:
            server.start()
        finally:
            server.stop()
    else:
        app.run(port=port, use_reloader=False)
"""
SERVERS = {
    "uvicorn and a2wsgi": ["uvicorn", "--port", "{port}", "app:a2wsgi_app"],
    "uvicorn and asgiref": ["uvicorn", "--port", "{port}", "app:asgiref_app"],
    "uvicorn's WSGI": ["uvicorn", "--port", "{port}", "--interface", "wsgi", "app:app"],
    "hypercorn and a2wsgi": ["hypercorn", "-b", "127.0.0.1:{port}", "app:a2wsgi_app"],
    "hypercorn and asgiref, in its own process": ["hypercorn", "-w", "0", "-b", "127.0.0.1:{port}", "app:asgiref_app"],
    "hypercorn's WSGI": ["hypercorn", "-b", "127.0.0.1:{port}", "wsgi:app:app"],
    "waitress": ["waitress-serve", "--port", "{port}", "--host", "127.0.0.1", "app:app"],
    "gunicorn, sync": ["gunicorn", "-w", "2", "-b", "127.0.0.1:{port}", "app:app"],
    "gunicorn, gthread": ["gunicorn", "-w", "1", "--threads", "4", "-b", "127.0.0.1:{port}", "app:app"],
    "gunicorn with our configuration": ["gunicorn", "-c", "python:otel_chatbot.gunicorn", "-w", "2", "-b", "127.0.0.1:{port}", "app:app"],
    "cheroot": ["python", "app.py", "cheroot"],
    "werkzeug": ["python", "app.py"],
    "flask run": ["flask", "run", "--port", "{port}"],
}  # fmt: skip

FIRST_ANSWERED = {name for name in SERVERS if name.startswith("hypercorn")}
"""Servers that may hang, without us too, when they are told to end while they answer: clients stop before."""


def command(server: str) -> list[str]:
    program, *words = SERVERS[server]
    return [sys.executable if program == "python" else str(BIN / program), *words]


def ended_under_load(app: App, server: str) -> tuple[int, set[int]]:
    """The exit code of a server that is told to end while four clients ask it, and the requests that were answered."""
    told, enough = threading.Event(), threading.Event()
    answered: set[int] = set()

    def ask(first: int) -> None:
        number = first
        with contextlib.suppress(http.client.HTTPException):  # an answer that was cut off is none
            while not enough.is_set() and get(f"http://127.0.0.1:{app.port}/{number}")[0] == 200:
                answered.add(number)
                if len(answered) > 20:
                    told.set()
                number += 4

    clients = [threading.Thread(target=ask, args=(first,)) for first in range(10, 14)]
    for client in clients:
        client.start()
    assert told.wait(60), app.stderr
    if server in FIRST_ANSWERED:
        enough.set()
        _await(clients)
    code = app.end()
    _await(clients)
    return code, answered


def _await(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(60)


def code_without_us(server: str, folder: Path) -> int:
    with App(folder, {}, SOURCE, command(server), path="/0") as app:
        return ended_under_load(app, server)[0]


def observed(sink: OtlpSink) -> list[int]:
    """The numbers of the requests that have a span; the first one is the test's own."""
    found = [attribute for span in sink.spans() for attribute in span.attributes if attribute.key == "answer.number"]
    return [attribute.value.int_value for attribute in found if attribute.value.int_value]


@pytest.mark.parametrize("server", SERVERS)
def test_whoever_was_answered_has_a_span_and_the_exit_code_is_the_servers_own(tmp_path: Path, server: str, scale: int) -> None:
    with ThreadPoolExecutor(1) as beside:
        without = beside.submit(code_without_us, server, tmp_path / "without")
        for attempt in range(1 if scale == 1 else 3 * scale):
            folder = tmp_path / str(attempt)
            with OtlpSink() as sink:
                env = {**SLOW, "OTEL_EXPORTER_OTLP_ENDPOINT": sink.endpoint}
                with App(folder, env, SOURCE, instrumented(*command(server)), path="/0") as app:
                    code, answered = ended_under_load(app, server)
                # What was answered after the last export is on disk, for the next run.
                replay = [str(BIN / "otel-chatbot"), "spool", "replay"]
                subprocess.run(replay, cwd=folder, env=clean_env(env), check=True, capture_output=True, timeout=60)
                found = observed(sink)
            assert code == without.result()
            assert answered <= set(found), f"{len(answered - set(found))} of {len(answered)} are lost"
            assert len(found) == len(set(found))
            # hypercorn prints the traceback of connections that it cancels, without us too: a fault of ours has a frame of ours.
            assert "/otel_chatbot/" not in app.stderr


@pytest.mark.parametrize("server", ["uvicorn and a2wsgi", "hypercorn and a2wsgi", "waitress"])
def test_ctrl_c_loses_nothing_either(tmp_path: Path, otlp_sink: OtlpSink, server: str) -> None:
    env = {**SLOW, "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint}
    with App(tmp_path, env, SOURCE, instrumented(*command(server)), path="/0") as app:
        for number in range(1, 9):
            app.get(f"/{number}")
        app.end(signal.SIGINT)
    assert set(observed(otlp_sink)) >= set(range(1, 9))
