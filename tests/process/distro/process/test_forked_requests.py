"""Werkzeug's server with a process per request: such a process keeps nothing to itself, and the server's own is not flushed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.process import clean_env

CODE = """
import os, sys, threading, urllib.request
from werkzeug.serving import make_server
from otel_chatbot.distro.process.forked_requests import flush_forked_requests

def flush():
    with open(sys.argv[1], "a") as file:
        file.write(f"{{os.getpid()}}\\n")

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]

flush_forked_requests(flush)
server = make_server("127.0.0.1", 0, app, {how})
answers = []

def ask():
    for _ in range(3):
        with urllib.request.urlopen(f"http://127.0.0.1:{{server.server_port}}/", timeout=60) as answer:
            answers.append(answer.read())
    server.shutdown()

asking = threading.Thread(target=ask)
asking.start()
server.serve_forever(0.02)
asking.join()
server.server_close()
print(os.getpid(), answers)
"""


def served(folder: Path, how: str) -> tuple[str, list[str]]:
    """The server's own process, and the processes that were flushed."""
    flushed = folder / "flushed"
    code = CODE.format(how=how)
    done = subprocess.run([sys.executable, "-c", code, flushed], env=clean_env(), capture_output=True, text=True, timeout=60)
    pid, _, answers = done.stdout.partition(" ")
    assert answers == "[b'hello', b'hello', b'hello']\n", done.stderr
    return pid, flushed.read_text().split() if flushed.exists() else []


def test_each_forked_process_is_flushed_at_the_end_of_its_request(tmp_path: Path) -> None:
    server, flushed = served(tmp_path, "processes=4")
    assert len(set(flushed)) == len(flushed) == 3
    assert server not in flushed


def test_a_server_with_threads_is_left_alone(tmp_path: Path) -> None:
    assert served(tmp_path, "threaded=True")[1] == []
