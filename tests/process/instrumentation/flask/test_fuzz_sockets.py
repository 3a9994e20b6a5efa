"""Bytes that are hardly HTTP, sent to real servers: no 5xx of ours, nothing in the logs, and the next request is served."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from support.distro import APP, App, instrumented
from support.fuzz import cases
from support.process import BIN, free_port, get
from support.proofs import record_proof

PATHS = ["/metrics", "/metrics/json", "/health", "/health/live", "/health/ready", "/health/detailed", "/", "/nowhere"]
LINES = st.sampled_from([
    b"Host: x", b"Host: [", b"Accept: application/openmetrics-text", b"Authorization: Bearer x", b"Content-Length: 5", b"Content-Length: -1",
    b"Content-Length: 99999999999999999999", b"Content-Length: \xb2", b"Transfer-Encoding: chunked", b"Transfer-Encoding: x", b"Expect: 100-continue",
    b"Connection: keep-alive", b"Upgrade: websocket", b" folded", b"No-Colon", b": empty", b"X-\x00: y", b"Cookie: " + b"a=b; " * 500,
    b"X-Forwarded-For: 8.8.8.8", b"traceparent: 00-zz", b"Range: bytes=0-0,1-1", b"A" * 9000 + b": b", b"Content-Encoding: gzip",
]) | st.binary(max_size=40)  # fmt: skip
HEAD = st.builds(
    lambda method, path, version: b" ".join((method, path, version)),
    st.sampled_from([b"GET", b"HEAD", b"POST", b"OPTIONS", b"TRACE", b"BREW", b"get", b"G\xffT", b""]),
    st.sampled_from([path.encode() for path in PATHS] + [b"/metrics?x=%ff%00", b"*", b"http://x/metrics", b"//metrics", b"/metri%63s", b"/" + b"a" * 9000]) | st.binary(max_size=30),
    st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/9.9", b"HTTP/x", b"", b"HTTP/1.1 x"]),
)  # fmt: skip
REQUEST = st.builds(
    lambda head, lines, body, end: end.join([head, *lines, b"", body]),
    HEAD, st.lists(LINES, max_size=5), st.binary(max_size=60), st.sampled_from([b"\r\n", b"\r\n", b"\n"]),
) | st.binary(max_size=200)  # fmt: skip


def answers(port: int, request: bytes) -> bytes:
    """What a server says to these bytes and the end of the stream; it may have had enough before either."""
    said = b""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        try:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN):
                raise
        with contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                said += chunk
    return said


def statuses(said: bytes) -> list[int]:
    return [int(line[9:12]) for line in said.split(b"\r\n") if line.startswith(b"HTTP/1.") and line[9:12].isdigit()]


@pytest.fixture(scope="module")
def gunicorn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    command = instrumented(str(BIN / "gunicorn"), "-b", "127.0.0.1:{port}", "-k", "gthread", "--threads", "4", "app:app")
    with App(tmp_path_factory.mktemp("gunicorn"), {}, APP, command, path="/health/live") as app:
        yield app


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[App, int]]:
    port = free_port()
    with App(tmp_path_factory.mktemp("apart"), {"CHATBOT_OTEL_ENDPOINT_PORT": str(port)}, path="/health/live") as app:
        app.wait(lambda: get(f"http://127.0.0.1:{port}/metrics")[0] == 200, "the endpoints")
        yield app, port


def told(seen: Counter[int | str]) -> dict[str, object]:
    """The figures of a proof: how many cases, and how often each status came; some got no answer, some several."""
    answers = sorted((status, count) for status, count in seen.items() if isinstance(status, int))
    return {"cases": seen["in all"], "answers": ", ".join(f"{status}: {count}" for status, count in answers)}


def test_gunicorn_with_our_routes_outlives_anything(gunicorn: App) -> None:
    seen: Counter[int | str] = Counter()

    @cases(0.1)
    @given(REQUEST)
    def ask(request: bytes) -> None:
        said = answers(gunicorn.port, request)
        seen["in all"] += 1
        for status in statuses(said):
            seen[status] += 1
            # 501 and 505 are gunicorn's own words for encodings and versions that it does not speak.
            assert status < 500 or status in (501, 505) or (status == 503 and b"/health/ready" in request), said[:300]

    ask()
    assert gunicorn.get()[0] == 200
    assert list(text_string_to_metric_families(gunicorn.get("/metrics")[1]))
    assert "Traceback" not in gunicorn.stderr
    assert "telemetry fault" not in gunicorn.stderr
    record_proof("Hostile bytes to gunicorn", **told(seen))


def test_the_port_of_the_endpoints_outlives_anything(apart: tuple[App, int]) -> None:
    app, port = apart
    seen: Counter[int | str] = Counter()

    @cases(0.1)
    @given(REQUEST)
    def ask(request: bytes) -> None:
        said = answers(port, request)
        seen["in all"] += 1
        for status in statuses(said)[:1]:
            seen[status] += 1
            assert status in (100, 200) or 400 <= status < 500, said[:300]

    ask()
    assert seen[200] > 0
    assert seen[404] > 0
    assert get(f"http://127.0.0.1:{port}/metrics")[0] == 200
    assert "Traceback" not in app.stderr
    assert "telemetry fault" not in app.stderr
    record_proof("Hostile bytes to the endpoints' own port", **told(seen))


def test_what_was_sent_left_nothing_behind(gunicorn: App, apart: tuple[App, int]) -> None:
    for app in (gunicorn, apart[0]):
        for line in app.log_lines():
            assert line["message"]
        assert not list(Path(app.folder).glob("logs/spool/*"))
