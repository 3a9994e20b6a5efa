"""/metrics* and /health/detailed on a port of their own: not on the app's, one process at a time, with the same checks."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
from pathlib import Path

import pytest
from support.distro import App, instrumented
from support.process import BIN, free_port, get

APART = ("/metrics", "/metrics/json", "/health/detailed")
BY_HAND = """
import os
from flask import Flask
import otel_chatbot as o

app = Flask(__name__)
app.register_blueprint(o.create_metrics_blueprint())
app.register_blueprint(o.create_health_blueprint())
o.messages_sent.inc(3)

if __name__ == "__main__":
    app.run(port=int(os.environ["PORT"]), use_reloader=False)
"""


class Shut(App):
    """An app whose endpoints stand on `apart`."""

    def __init__(self, folder: Path, *arguments: str, command: list[str] | None = None, **env: str) -> None:
        self.apart = free_port()
        super().__init__(
            folder,
            {"CHATBOT_OTEL_ENDPOINT_PORT": str(self.apart), **env},
            *arguments,
            command=command or (),
            path="/health/live",
        )

    def ask(self, path: str, **headers: str) -> tuple[int, str]:
        return get(f"http://127.0.0.1:{self.apart}{path}", headers)

    def served(self, path: str = "/metrics") -> str:
        self.wait(lambda: self.ask(path)[0] == 200, f"{path} on its own port")
        return self.ask(path)[1]


def listener_of(port: int, pids: list[int]) -> int:
    """Which of these processes holds the listening socket of a port."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {f"socket:[{fields[9]}]" for fields in lines if fields[1].endswith(f":{port:04X}") and fields[3] == "0A"}
    for pid in pids:
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            if os.path.islink(fd) and os.readlink(fd) in inodes:
                return pid
    raise AssertionError(f"nobody of {pids} listens on {port}")


def workers_of(app: App) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{app.pid}/task/{app.pid}/children").read_text().split()]


def test_the_endpoints_leave_the_apps_port_and_answer_on_their_own(tmp_path: Path) -> None:
    with Shut(tmp_path) as app:
        app.served()  # before the first request
        for path in APART:
            assert app.get(path)[0] == 404
            assert app.ask(path)[0] == 200
        assert [app.get(path)[0] for path in ("/health", "/health/live", "/health/ready")] == [200, 200, 200]
        assert [app.ask(path)[0] for path in ("/", "/health", "/nowhere", "/metrics/")] == [404, 404, 404, 404]
        assert app.get()[0] == 200
        assert 'chatbot_api_requests_total{http_request_method="GET",http_route="/"' in app.served()
        assert "checks" in json.loads(app.served("/health/detailed"))
        assert app.end() == -signal.SIGTERM
        assert app.ask("/metrics")[0] == 0


def test_blueprints_that_the_app_registered_are_shut_too(tmp_path: Path) -> None:
    with Shut(tmp_path, BY_HAND, command=[sys.executable, "app.py"]) as app:
        assert "chatbot_messages_sent_total 3" in app.served()
        assert [app.get(path)[0] for path in APART] == [404, 404, 404]
        assert app.get("/health/ready")[0] == 200


def test_the_token_is_asked_for_on_that_port_as_well(tmp_path: Path) -> None:
    with Shut(tmp_path, CHATBOT_OTEL_ENDPOINT_TOKEN="tok-12345") as app:
        app.wait(lambda: app.ask("/metrics")[0] == 401, "a refusal")
        for path in APART:
            assert app.ask(path)[0] == 401
            assert app.ask(path, Authorization="Bearer tok-1234")[0] == 401
            assert app.ask(path, Authorization="Bearer tok-12345")[0] == 200
            assert app.get(path)[0] == 404


@pytest.mark.parametrize("kind", ["gthread", "gevent"])
def test_one_worker_serves_for_all_and_another_does_when_it_is_killed(tmp_path: Path, kind: str) -> None:
    command = instrumented(str(BIN / "gunicorn"), "-b", "127.0.0.1:{port}", "-w", "3", "-k", kind, "app:app")
    with Shut(tmp_path, command=command) as app:
        for _ in range(30):
            assert app.get()[0] == 200
        assert " 30.0" in next(line for line in app.served().splitlines() if line.startswith("chatbot_api_requests_total{"))
        serving = listener_of(app.apart, workers_of(app))
        assert serving != app.pid
        os.kill(serving, signal.SIGKILL)
        app.wait(lambda: serving not in workers_of(app), "the end of the serving worker")
        assert " 30.0" in next(line for line in app.served().splitlines() if line.startswith("chatbot_api_requests_total{"))
        assert listener_of(app.apart, workers_of(app)) != serving
        assert "not served" not in app.stderr
        app.end(signal.SIGKILL)  # a worker of gevent that is just booting would let gunicorn wait for half a minute


def test_a_port_that_another_program_has_costs_one_line_and_nothing_else(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with App(tmp_path, {"CHATBOT_OTEL_ENDPOINT_PORT": str(port)}, path="/health/live") as app:
            app.wait(lambda: "are not served" in app.stderr, "the line")
            assert app.get()[0] == 200
        assert app.stderr.count("are not served") == 1
        assert f"cannot listen on 127.0.0.1:{port} (Address already in use)" in app.stderr


def test_many_slow_clients_do_not_keep_others_out_for_long(tmp_path: Path) -> None:
    with Shut(tmp_path) as app:
        app.served()
        slow = [socket.create_connection(("127.0.0.1", app.apart)) for _ in range(40)]
        for connection in slow:
            connection.sendall(b"GET /metrics HTTP/1.1\r\nX-Slow: ")
        threads = len(os.listdir(f"/proc/{app.pid}/task"))
        assert threads < 16 + 12
        assert app.get()[0] == 200
        for connection in slow:
            connection.close()
        app.served()


def test_doctor_asks_both_ports(tmp_path: Path) -> None:
    import subprocess

    from support.process import clean_env, program

    with Shut(tmp_path / "app") as app:
        app.served()
        done = subprocess.run(
            [program("otel-chatbot", "install the package"), "doctor", f"http://127.0.0.1:{app.port}"],
            cwd=tmp_path, env=clean_env({"CHATBOT_OTEL_ENDPOINT_PORT": str(app.apart)}), capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    assert "/metrics: 200" in done.stdout
    assert "/health/ready: 200" in done.stdout
    assert done.returncode == 0, done.stdout


def test_a_forked_child_does_not_keep_its_parents_port(tmp_path: Path) -> None:
    source = """
import os, signal, sys, threading, time
import otel_chatbot as o
o.create_metrics_blueprint()
o.messages_sent.inc()
import http.client
def up():
    try:
        c = http.client.HTTPConnection("127.0.0.1", int(os.environ["CHATBOT_OTEL_ENDPOINT_PORT"]), timeout=5)
        c.request("GET", "/metrics"); return c.getresponse().status == 200
    except OSError:
        return False
end = time.monotonic() + 10
while not up() and time.monotonic() < end: time.sleep(0.05)
pid = os.fork()
if pid == 0:
    time.sleep(30)
    os._exit(0)
print(pid, flush=True)
time.sleep(60)
"""
    from support.process import Process, wait_for

    port = free_port()
    (tmp_path / "app.py").write_text(source)
    with Process([sys.executable, "app.py"], tmp_path, {"CHATBOT_OTEL_ENDPOINT_PORT": str(port)}) as process:
        process.wait(lambda: process.stdout.strip(), "the child")
        child = int(process.stdout)
        os.kill(process.pid, signal.SIGKILL)
        process.popen.wait(5)
        wait_for(lambda: get(f"http://127.0.0.1:{port}/metrics", timeout=2)[0] == 0, "a free port")
        with socket.create_server(("127.0.0.1", port)):
            os.kill(child, signal.SIGKILL)


def test_an_app_that_uses_the_port_in_process_can_close_it() -> None:
    from otel_chatbot.distro.process.endpoint_server import EndpointServer

    port, before = free_port(), threading.active_count()
    server = EndpointServer("127.0.0.1", port)
    server.start()
    from support.process import wait_for

    wait_for(lambda: get(f"http://127.0.0.1:{port}/nowhere")[0] == 404, "an answer")
    server.begin_shutdown()
    import time

    server.finish_shutdown(time.monotonic() + 5)
    wait_for(lambda: threading.active_count() == before, "the end of its threads")
    assert get(f"http://127.0.0.1:{port}/nowhere")[0] == 0
