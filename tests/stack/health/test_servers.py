"""Health behind real servers: threads and greenlets, probes by the thousand, draining before the end."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request

import pytest
import redis
from support.process import BIN, Process, fetch, free_port, get, port_open
from support.servers import MongoServer, RedisServer
from support.weather import Proxy, stopped

APP = """
import flask
from otel_chatbot import create_health_blueprint

app = flask.Flask(__name__)
app.register_blueprint(create_health_blueprint())
"""


@contextmanager
def _serving(folder: Path, *arguments: str, **environ: str) -> Iterator[str]:
    """The address of a gunicorn with one worker that serves the app above, by no more than its blueprint."""
    (folder / "app.py").write_text(APP)
    port = free_port()
    command = [str(BIN / "gunicorn"), "-b", f"127.0.0.1:{port}", "--backlog", "2048", *arguments, "app:app"]
    with Process(command, folder, environ, name="gunicorn") as process:
        process.wait(lambda: port_open(port) and get(f"http://127.0.0.1:{port}/health")[0] == 200, "gunicorn")
        yield f"http://127.0.0.1:{port}"


KINDS = pytest.mark.parametrize(
    "arguments",
    [("-k", "gthread", "--threads", "32"), ("-k", "gevent"), ("-k", "sync")],
    ids=lambda arguments: arguments[1],
)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[MongoServer, RedisServer]]:
    with MongoServer(tmp_path / "mongo") as mongo, RedisServer(tmp_path / "redis") as cache:
        yield mongo, cache


@KINDS
def test_readiness_keeps_its_budget_and_liveness_answers_while_the_servers_hang(
    arguments: tuple[str, ...], servers: tuple[MongoServer, RedisServer], tmp_path: Path
) -> None:
    mongo, cache = servers
    with _serving(tmp_path, *arguments, MONGODB_URI=mongo.uri, REDIS_URL=cache.url, CHATBOT_OTEL_HEALTH_TIMEOUT="4") as address:
        status, text = get(f"{address}/health/ready")
        assert (status, json.loads(text)["status"]) == (200, "healthy"), text
        with stopped(mongo.pid, cache.pid):
            start = time.monotonic()
            with ThreadPoolExecutor(1) as pool:
                ready = pool.submit(get, f"{address}/health/ready", timeout=60)
                if "sync" not in arguments:  # which does one thing at a time
                    time.sleep(0.1)  # it comes second, on any machine that is not very busy
                    assert get(f"{address}/health/live")[0] == 200
                    assert not ready.done(), "liveness waited for the checks"
                status, text = ready.result()
            assert time.monotonic() - start < 25, "the drivers' own patience is 30 s"
            assert (status, json.loads(text)["status"]) == (503, "unhealthy")
        assert fetch(Request(f"{address}/health/ready", method="HEAD"))[0] == 200
        assert fetch(Request(f"{address}/health/ready", method="POST", data=b"x"))[0] == 405


@pytest.mark.parametrize("arguments", [("-k", "gthread", "--threads", "64"), ("-k", "gevent")], ids=lambda a: a[1])
def test_a_thousand_probes_at_once_over_http_cost_a_run_a_second(
    arguments: tuple[str, ...], servers: tuple[MongoServer, RedisServer], tmp_path: Path
) -> None:
    mongo, cache = servers
    with (
        Proxy(mongo.port, 0.05) as to_mongo,
        _serving(
            tmp_path,
            *arguments,
            MONGODB_URI=f"mongodb://127.0.0.1:{to_mongo.port}/?directConnection=true",
            REDIS_URL=cache.url,
            CHATBOT_OTEL_HEALTH_TIMEOUT="5",
        ) as address,
        redis.Redis.from_url(cache.url) as admin,
    ):
        clients, each = 50, 20
        start = threading.Barrier(clients)

        def hammer() -> set[int]:
            start.wait(30)
            return {get(f"{address}/health/ready", timeout=30)[0] for _ in range(each)}

        with ThreadPoolExecutor(clients) as pool:
            began = time.monotonic()
            done = [pool.submit(hammer) for _ in range(clients)]
            assert {status for one in done for status in one.result()} == {200}
            lasted = time.monotonic() - began
        pings, sets = to_mongo.sent.count(b"ping\x00"), admin.info("commandstats")["cmdstat_set"]["calls"]
        print(f"{clients * each} probes in {lasted:.2f} s: {pings} MongoDB pings, {sets} Redis writes")
        # A run that probes share answers their burst for at most a second; one that a probe had to itself answers no other.
        allowed = 3 + 2 * int(lasted)
        assert 1 <= pings <= allowed
        assert 1 <= sets <= allowed
