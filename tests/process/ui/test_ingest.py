"""Broken bodies posted to a real viewer: each is taken or refused with a reason, and nothing that was taken before is lost."""

from __future__ import annotations

import http.client
import json
import socket
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote

from support.broken_otlp import broken
from support.proofs import record_proof
from support.viewer import Viewer, chat, trace_request

SEED = 18
EVERY = 50
"""After so many broken bodies a whole one is sent."""


def test_broken_bodies_are_refused_with_a_reason_and_nothing_that_was_taken_is_lost(tmp_path: Path, scale: int) -> None:
    count = 200 if scale == 1 else 500 * scale
    answers: Counter[int] = Counter()
    kept: dict[str, Any] = {}
    with Viewer(tmp_path) as viewer:
        connection = http.client.HTTPConnection("127.0.0.1", viewer.port, timeout=60)
        for number, one in enumerate(broken(count, SEED)):
            if number % EVERY == 0:
                assert viewer.post("/v1/traces", trace_request(*chat(5_000 + number, number))) == (200, "")
                kept[f"{5_000 + number:032x}"] = viewer.ask(f"traces/{5_000 + number:032x}")
            connection.request("POST", one.path, one.body, one.headers)
            answer = connection.getresponse()
            told = answer.read()
            answers[answer.status] += 1
            assert answer.status in (200, 400, 413, 415), (answer.status, told, one)
            assert answer.status == 200 or json.loads(told)["error"], one
        connection.close()
        for trace, before in kept.items():
            assert viewer.ask(f"traces/{trace}") == before
        assert answers[200] > count / 10, "some are whole enough: what they say is looked at, too"
        everything_can_be_asked(viewer)
        memory = viewer.memory_mib()
        assert memory < 300
        assert viewer.process.stderr == ""
    record_proof("Broken OTLP bodies posted to the viewer", bodies=count, taken=answers[200], refused=count - answers[200],
                 whole_traces_kept=len(kept), most_memory_in_mib=memory)  # fmt: skip


def everything_can_be_asked(viewer: Viewer) -> None:
    """Every page, every trace of the lists, every metric: whatever odd rows were taken."""
    for path in ("now", "errors", "conversations", "turns", "routes", "state"):
        viewer.ask(path)
    traces = {one["trace"] for name in ("traces", "turns") for one in viewer.ask(name)[name]}
    traces |= {one["trace"] for one in viewer.ask("logs")["logs"] if one["trace"]}
    for trace in traces:
        viewer.ask(f"traces/{trace}")
    for one in viewer.ask("metrics")["metrics"]:
        if one["name"]:
            viewer.ask(f"metrics/{quote(one['name'], safe='')}", window=0)
    for one in viewer.ask("conversations")["conversations"]:
        viewer.ask(f"conversations/{quote(one['id'], safe='')}")


def test_requests_that_are_none_end_their_connection_alone(tmp_path: Path) -> None:
    with Viewer(tmp_path) as viewer:
        for raw in (
            b"\x00\xff\r\n\r\n", b"GET\r\n\r\n", b"POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n",
            b"POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 999999999999\r\n\r\n", b"A" * 70_000,
            b"POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 50\r\n\r\nless",
            b"GET /" + b"%ff" * 500 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"GET /api/traces?" + b"a&" * 400 + b" HTTP/1.0\r\n\r\n",
        ):  # fmt: skip
            with socket.create_connection(("127.0.0.1", viewer.port), 60) as sending:
                sending.sendall(raw)
                sending.shutdown(socket.SHUT_WR)
                while sending.recv(65_536):
                    pass
        assert viewer.get("/api/state")[0] == 200
        assert viewer.process.stderr == ""
