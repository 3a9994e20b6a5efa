"""Secrets planted at every entrance of an app, and every byte that leaves searched for them: nothing is found.

What leaves: OTLP of all three signals, log files, the trace file, the spool, `/metrics`, `/metrics/json`, `/health/detailed`,
our console, what the workers share on disk, what the package writes to Redis.
"""

from __future__ import annotations

import base64
import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from redis import Redis
from support.canary import Canaries
from support.process import wait_for
from support.proofs import record_proof
from support.servers import MongoServer, RedisServer
from support.stack import Stack

from otel_chatbot.testing import OtlpSink

APP = Path(__file__).parent / "apps" / "leaky.py"
STAYS = "user-4711-stays"


@contextmanager
def echoing_endpoint() -> Iterator[str]:
    """A model's endpoint that refuses every call and quotes it, as content filters do."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
            error = {"message": f"refused: {asked}", "type": "invalid_request_error", "param": asked, "code": "content_filter"}
            body = json.dumps({"error": error}).encode()
            self.send_response(400)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def plant(stack: Stack, canaries: Canaries) -> None:
    """Everything that an outsider or the app itself can put somewhere."""
    bird, text = canaries.bird, canaries.text
    headers = {
        "Authorization": f"Bearer {bird('bearer token')}",
        "Proxy-Authorization": "Basic " + base64.b64encode(f"user:{bird('basic password')}".encode()).decode(),
        "Cookie": f"session={bird('session cookie')}; theme={bird('other cookie')}",
        "X-User-Id": bird("user id in a header"),
        "X-Api-Key": bird("key in a header"),
        "X-Anything": bird("any header"),
        "Referer": f"http://example.org/?q={bird('referer')}",
        "baggage": f"secret={bird('baggage')}",
        "User-Agent": f"canary {text('user agent')}",
    }
    query = f"?q={bird('query')}&token={bird('token in the query')}&mail={quote(text('text in the query'))}"

    def post(path: str, status: int, **body: str) -> None:
        found = stack.post(path + query, {**body, "user_id": bird("user id in a body"), "password": bird("body")}, **headers)
        assert found.status == status, f"{path}: {found.status} {found.body[:500]!r}"

    post("/body", 200, anything=bird("body"), **{bird("key of a body"): "1"}, free=text("body"))
    form = f"name={bird('user id in a form')}&secret={bird('form')}".encode()
    stack.request("POST", "/form" + query, form, {**headers, "Content-Type": "application/x-www-form-urlencoded"})
    stack.request(
        "POST", "/body" + query, b'{"broken": ' + bird("broken body").encode(), {**headers, "Content-Type": "application/json"}
    )
    for letter, status in ((bird("path"), 200), ("none", 404)):
        assert stack.get(f"/people/{bird('user id in a path')}/letters/{letter}{query}", **headers).status == status
    assert stack.get(f"/nowhere/{quote(text('path that is not there'))}{query}", **headers).status == 404
    assert stack.request("BREW", f"/people/{bird('path of another method')}/letters/a", headers=headers).status == 405

    post("/raise", 500, inner=text("inner exception"), outer=text("outer exception"), note=text("note of an exception"))
    post("/mongo", 200, document=bird("document"), filter=bird("filter"), user=bird("user in a document"))
    post("/duplicate", 500, key=bird("duplicate key"), letter=bird("document of a bulk write"))
    post("/redis", 500, key=bird("Redis key"), value=bird("Redis value"), field=bird("Redis field"))
    post("/model", 500, system=bird("instructions"), prompt=bird("prompt"), user=bird("user of the model"))
    post("/unreachable", 500, user=bird("user of a database"), password=bird("password of a database"))
    post("/log", 200, stays=STAYS, text=text("log"), secret=bird("log"))
    post("/spans", 200, text=text("span"), secret=bird("span"))


def read_all(stack: Stack, canaries: Canaries, token: str) -> list[str]:
    """What the six routes say, to everybody."""
    leaks = []
    openmetrics = {"Accept": "application/openmetrics-text; version=1.0.0"}
    for path in ("/metrics", "/metrics/json", "/health", "/health/live", "/health/ready", "/health/detailed"):
        for headers in ({}, {"Authorization": f"Bearer {token}"}, {"Authorization": f"Bearer {token}", **openmetrics}):
            reply = stack.get(path, **headers)
            assert reply.status in (200, 503) or not headers, f"{path}: {reply.status}"
            leaks += canaries.leaks(reply.body + str(reply.headers).encode(), f"{path} {list(headers)}")
    return leaks


def in_redis(server: RedisServer, password: str) -> bytes:
    """What the package keeps in the app's Redis."""
    with Redis(port=server.port, password=password) as client:
        keys = [key for key in client.scan_iter() if key.startswith(b"otel_chatbot")]
        kept = [client.get(key) if client.type(key) == b"string" else client.zrange(key, 0, -1) for key in keys]
    assert keys
    return repr((keys, kept)).encode()


@pytest.mark.parametrize("way", ["OTLP", "files and console"])
def test_no_secret_leaves_by_any_way(tmp_path: Path, mongo_server: MongoServer, way: str) -> None:
    canaries = Canaries()
    bird = canaries.bird
    token, redis_password = bird("token of the endpoints"), bird("password of Redis")
    shared = tmp_path / "shared"
    with (
        OtlpSink() as sink,
        echoing_endpoint() as echo,
        RedisServer(tmp_path / "redis", 0, "--requirepass", redis_password) as redis,
    ):
        env = {
            "REDIS_URL": f"redis://:{redis_password}@127.0.0.1:{redis.port}/0",
            "ECHO_URL": echo,
            "OPENAI_API_KEY": bird("key of the model"),
            "FLASK_SECRET": bird("key of the sessions"),
            "CHATBOT_OTEL_ENDPOINT_TOKEN": token,
            "CHATBOT_OTEL_MULTIPROC_DIR": str(shared),
            "CHATBOT_OTEL_LOG_LEVEL": "DEBUG",
            "OTEL_RESOURCE_ATTRIBUTES": f"service.name=leaky,app.password={bird('resource')},app.db=mongodb://u:{bird('resource')}@h/d",
            "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "process,otel,host",
            "OTEL_METRIC_EXPORT_INTERVAL": "500",
        }
        if way == "OTLP":
            env |= {
                "OTEL_EXPORTER_OTLP_ENDPOINT": sink.endpoint.replace("//", f"//user:{bird('password of the endpoint')}@"),
                "OTEL_EXPORTER_OTLP_HEADERS": f"x-api-key={bird('header of the exporter')}",
                "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            }
        else:
            env |= {
                "CONSOLE": "1",
                "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST": "authorization,proxy-authorization,cookie,x-api-key,user-agent",
                "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_RESPONSE": "set-cookie",
            }
        arguments = ["--env", f"APP_PASSWORD={bird('command line')}"]
        with Stack(
            tmp_path, app=APP, server="gunicorn", workers=2, arguments=arguments, mongo=mongo_server, redis=False, env=env
        ) as stack:
            plant(stack, canaries)
            leaks = read_all(stack, canaries, token)
            if way == "OTLP":
                wait_for(
                    lambda: {path for path, _ in sink.requests} == {"/v1/traces", "/v1/metrics", "/v1/logs"}, "all signals"
                )
            stack.stop()
        leaks += canaries.leaks(in_redis(redis, redis_password), "the package's keys in Redis")
    leaks += canaries.leaks_in_files(stack.logs)
    leaks += canaries.leaks_in_files(shared)
    written = b"".join(path.read_bytes() for path in stack.logs.glob("*.log"))
    assert STAYS.encode() in written, "what the app logs on purpose stays"
    assert b"****" in written
    if way == "OTLP":
        for body in sink.bodies:
            leaks += canaries.leaks(body, "OTLP")
        assert len(sink.spans()) > 30
        assert any(STAYS in str(record) for record in sink.logs())
    else:
        assert len(stack.spans()) > 30
        leaks += canaries.leaks(stack.app.stderr.encode() + stack.app.stdout.encode(), "the console")
        assert STAYS in stack.app.stderr
    searched = sum(map(len, sink.bodies)) + len(written)
    record_proof(f"Canaries, {way}", planted=len(canaries.planted), bytes_searched=searched, found=len(leaks))
    assert not leaks, f"{len(leaks)} leaks:\n" + "\n".join(sorted(set(leaks)))


def test_the_search_finds_a_secret_in_every_form() -> None:
    canaries = Canaries()
    word = canaries.bird("query string").encode()
    text = canaries.text("log").encode()
    forms = [
        word,
        word.upper(),
        word.hex().encode(),
        gzip.compress(b"x" + word),
        b"head" + gzip.compress(b"x" + word),
        word[::-1],
    ]
    forms += [base64.b64encode(b"y" * shift + word + b"z") for shift in range(5)]
    forms += [b"a " + text, quote(text).encode()]
    assert [bool(canaries.leaks(data, "a test")) for data in forms] == [True] * len(forms)
    assert canaries.leaks(b"nothing of it here", "a test") == []
