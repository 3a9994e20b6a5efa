"""Streamed answers under real servers, to a client on a real socket: every figure runs to the last byte, once."""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.process import Process, free_port, get, port_open, program, wait_for

APP = Path(__file__).resolve().parents[3] / "support" / "streaming_app.py"
SERVERS = {
    "werkzeug": [],
    "gunicorn sync": ["-k", "sync"],
    "gunicorn gthread": ["-k", "gthread", "--threads", "4"],
    "gunicorn gevent": ["-k", "gevent"],
}


class Server(Process):
    def __init__(self, folder: Path, kind: str) -> None:
        self.port = free_port()
        command = [sys.executable, str(APP), str(self.port)]
        if kind != "werkzeug":
            gunicorn = program("gunicorn", "install it into the environment of the tests")
            command = [
                gunicorn,
                "-b",
                f"127.0.0.1:{self.port}",
                "--chdir",
                str(APP.parent),
                *SERVERS[kind],
                "streaming_app:app",
            ]
        super().__init__(command, folder, name="server")
        self.wait(lambda: port_open(self.port), kind)

    def get(self, path: str) -> tuple[int, str]:
        return get(f"http://127.0.0.1:{self.port}{path}", timeout=30)

    def state(self) -> dict[str, Any]:
        return json.loads(self.get("/_state")[1])

    def connect(self, path: str) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return client

    def finished(self, endpoint: str) -> dict[str, Any]:
        """The state once the access record of an endpoint is there."""
        found: dict[str, Any] = {}

        def there() -> bool:
            found.update(self.state())
            return any(line["endpoint"] == endpoint for line in found["access"])

        wait_for(there, f"the access record of {endpoint}")
        return found


@pytest.fixture(params=sorted(SERVERS))
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path, request.param) as running:
        yield running


def route_sum(rows: list[Any], route: str) -> float:
    (cells,) = [cells for key, cells in rows if key[1] == route]
    return cells[0]


def one(rows: list[dict[str, Any]], **wanted: object) -> dict[str, Any]:
    (row,) = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
    return row


def nothing_active(state: dict[str, Any]) -> bool:
    return not any(cells[0] for _, cells in state["active"])


def test_answers_of_every_kind_are_measured_to_their_end(server: Server) -> None:
    seconds = 1.0
    started = time.perf_counter()
    status, text = server.get(f"/slow?seconds={seconds}")
    took = time.perf_counter() - started
    assert (status, text.count("data:")) == (200, 5)
    state = server.finished("/slow")
    span = one(state["spans"], name="GET /slow")
    for figure in (
        span["seconds"],
        route_sum(state["response_time"], "/slow"),
        route_sum(state["duration"], "/slow"),
        one(state["access"], endpoint="/slow")["duration_ms"] / 1000,
    ):
        assert seconds <= figure < 2 * took, "the client has all before the server has closed"
    chunks = [row for row in state["spans"] if row["name"].startswith("chunk")]
    assert [row["parent"] for row in chunks] == [span["id"]] * 5
    assert one(state["access"], endpoint="/slow")["bytes"] == len(text)

    assert len(server.get("/file")[1]) == 1_000_000
    state = server.finished("/file")
    assert one(state["access"], endpoint="/file")["bytes"] == 1_000_000
    one(state["spans"], name="GET /file")

    with server.connect("/half") as client:
        while client.recv(65536):
            pass
    state = server.finished("/half")
    assert state["errors"] == [[["OverflowError"], [1.0]]]
    assert one(state["spans"], name="GET /half")["status"] == "ERROR"

    assert server.get("/plain") == (200, "plain")
    state = server.state()
    one(state["access"], endpoint="/plain")  # there as soon as the client has the answer
    assert sorted(key[1] for key, _ in state["requests"]) == ["/file", "/half", "/plain", "/slow"]
    assert all(cells == [1.0] for _, cells in state["requests"])
    assert nothing_active(state)


def test_a_client_that_goes_away_is_recorded_as_such_and_is_no_error(server: Server) -> None:
    client = server.connect("/endless")
    client.recv(100_000)
    client.close()
    state = server.finished("/endless")
    line = one(state["access"], endpoint="/endless")
    span = one(state["spans"], name="GET /endless")
    assert line["aborted"] is True
    assert span["attributes"]["chatbot.client_disconnected"] is True
    assert span["status"] == "UNSET"
    assert state["errors"] == []
    assert [cells for key, cells in state["requests"] if key[1] == "/endless"] == [[1.0]]
    assert nothing_active(state)


def test_requests_side_by_side_keep_their_traces_apart(tmp_path: Path) -> None:
    with Server(tmp_path, "gunicorn gevent") as server:
        clients = [server.connect("/slow?seconds=0.5") for _ in range(20)]
        for client in clients:
            while client.recv(65536):
                pass
            client.close()
        wait_for(lambda: len(server.state()["access"]) == 20, "all requests to be finished")
        spans = server.state()["spans"]
        roots = {span["id"] for span in spans if span["name"] == "GET /slow"}
        parents = [span["parent"] for span in spans if span["name"].startswith("chunk")]
        assert len(roots) == 20
        assert sorted(parents) == sorted(list(roots) * 5)
