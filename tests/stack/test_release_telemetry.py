"""What telemetry says of releases: a bad one is told from a good one, and the doctor finds its round trip again.

One pipeline (app, collector, Prometheus) serves all: releases of the example run in it one after another.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from support.pipeline import Pipeline
from support.process import clean_env, program, wait_for
from support.servers import MongoServer, RedisServer

CHATS = 20
VERSIONS = {"1.0": "/wait 0.6", "1.1-good": "/wait 0.6", "2.0-slow": "/wait 4", "2.1-errors": "/fail 500"}
TWICE, FIVE_TIMES = "100", "400"
"""Percent of tolerance: the machine of the tests has moods."""


@pytest.fixture(scope="module")
def releases(
    tmp_path_factory: pytest.TempPathFactory, mongo_server: MongoServer, redis_server: RedisServer
) -> Iterator[Pipeline]:
    """Four releases have run, each with its own way of answering, and their figures are in Prometheus."""
    env = {"OTEL_RESOURCE_ATTRIBUTES": "service.version=1.0"}
    folder = tmp_path_factory.mktemp("releases")
    with Pipeline(folder, mongo=mongo_server, redis=redis_server, env=env, interval="500ms") as pipeline:
        for version, words in VERSIONS.items():
            if version != "1.0":
                pipeline.stack.restart(OTEL_RESOURCE_ATTRIBUTES=f"service.version={version}")
            use(pipeline, version, words)
        yield pipeline


def use(pipeline: Pipeline, version: str, words: str) -> None:
    """Chats with a release, until Prometheus knows of all of them."""
    messages = [{"message": f"{words} {version} {number}"} for number in range(CHATS)]
    with ThreadPoolExecutor(10) as users:
        list(users.map(lambda message: pipeline.stack.post("/chat/stream", message), messages))
    of_it = f'target_info{{service_version="{version}"}}'
    served = f"sum(chatbot_api_requests_total * on (job, instance) group_left () {of_it})"
    wait_for(lambda: pipeline.prometheus.value(served) == CHATS, f"the requests of {version} in Prometheus", 120)


def command(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    run = [program("otel-chatbot", "install the package"), *words]
    return subprocess.run(run, env=clean_env(env), capture_output=True, text=True, timeout=120, check=False)


def compared(pipeline: Pipeline, old: str, new: str, tolerance: str = TWICE) -> tuple[int, dict[str, bool], str]:
    done = command(
        "compare", old, new, "--prometheus", pipeline.prometheus.url, "--since", "900", "--tolerance", tolerance, "--json"
    )
    assert done.stdout.startswith("{"), done
    figures = json.loads(done.stdout)["figures"]
    return done.returncode, {one["name"]: one["worse"] for one in figures}, done.stdout


def test_a_good_release_is_not_worse(releases: Pipeline) -> None:
    code, worse, said = compared(releases, "1.0", "1.1-good", FIVE_TIMES)
    assert code == 0, said
    assert not any(worse.values())
    figures = {one["name"]: one for one in json.loads(said)["figures"]}
    assert figures["errors per request"]["new"] == 0
    assert figures["response time, p95"]["new"] > 0.5
    assert figures["first chunk, p95"]["new"] is not None
    assert figures["cost per turn"]["old"] == pytest.approx(figures["cost per turn"]["new"], rel=0.2)


def test_a_release_with_a_slow_first_chunk_is_worse_by_time_alone(releases: Pipeline) -> None:
    code, worse, said = compared(releases, "1.0", "2.0-slow")
    assert code == 1, said
    assert {name for name, so in worse.items() if so} == {"response time, p95", "first chunk, p95"}
    assert {"errors per request", "cost per turn", "refused per AI call", "signs of bad answers per AI call"} < set(worse)


def test_a_release_with_errors_is_worse_by_errors(releases: Pipeline) -> None:
    code, worse, said = compared(releases, "1.0", "2.1-errors")
    assert code == 1, said
    assert worse["errors per request"]
    table = command("compare", "1.0", "2.1-errors", "--prometheus", releases.prometheus.url, "--since", "900")
    assert table.returncode == 1
    assert compared(releases, "2.1-errors", "1.0")[1]["errors per request"] is False
    assert [line.split()[-1] for line in table.stdout.splitlines() if line.startswith("errors")] == ["WORSE"]


def test_what_cannot_be_said_is_said(releases: Pipeline) -> None:
    unknown = command("compare", "1.0", "9.9", "--prometheus", releases.prometheus.url, "--since", "900")
    assert (unknown.returncode, "no service.version=9.9" in unknown.stderr) == (2, True)
    assert "1.0" in unknown.stderr
    few = command("compare", "1.0", "1.1-good", "--prometheus", releases.prometheus.url, "--since", "900", "--least", "1000")
    assert (few.returncode, "1000 are needed" in few.stderr) == (2, True)
    away = command("compare", "1.0", "1.1-good", "--prometheus", "http://127.0.0.1:1")
    assert (away.returncode, "does not answer" in away.stderr) == (2, True)


class Tempo(BaseHTTPRequestHandler):
    """Answers as Tempo does for the traces that the collector has sent on."""

    pipeline: Pipeline

    def do_GET(self) -> None:
        wanted = bytes.fromhex(self.path.rpartition("/")[2])
        spans = [
            span
            for path, message in self.pipeline.store.requests
            if path == "/v1/traces"
            for group in message.resource_spans
            for scope in group.scope_spans
            for span in scope.spans
        ]
        names = [span.name for span in spans if span.trace_id == wanted]
        self.send_response(200 if names else 404)
        self.end_headers()
        self.wfile.write(json.dumps(names).encode())

    def log_message(self, *_: object) -> None:
        return


def test_the_doctor_finds_its_round_trip_again_with_the_seconds_it_took(releases: Pipeline, tmp_path: Path) -> None:
    Tempo.pipeline = releases
    with ThreadingHTTPServer(("127.0.0.1", 0), Tempo) as tempo:
        Thread(target=tempo.serve_forever, daemon=True).start()
        where = [
            "--prometheus", releases.prometheus.url, "--collector", releases.collector.url("metrics"),
            "--traces", f"http://127.0.0.1:{tempo.server_port}",
        ]  # fmt: skip
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": releases.collector.url("otlp_http"), "CHATBOT_OTEL_LOG_DIR": str(tmp_path)}
        done = command("doctor", "--json", *where, **env)
        tempo.shutdown()
    assert done.returncode == 0, done.stdout
    found = [
        one["message"] for one in json.loads(done.stdout)["findings"] if one["name"] in ("collector", "prometheus", "traces")
    ]
    assert len(found) == 5, found
    assert all(line.startswith("found ") and line.endswith(" s") for line in found), found
    assert releases.prometheus.value('count(chatbot_doctor_time_seconds{job="otel-chatbot-doctor"})') == 1
    assert not releases.prometheus.query('chatbot_api_requests_total{job="otel-chatbot-doctor"}')


def test_a_round_trip_that_is_lost_on_the_way_is_a_fault(releases: Pipeline, tmp_path: Path) -> None:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": releases.store.endpoint, "CHATBOT_OTEL_LOG_DIR": str(tmp_path)}
    done = command("doctor", "--json", "--prometheus", releases.prometheus.url, "--wait", "1", **env)
    faults = [one for one in json.loads(done.stdout)["findings"] if one["status"] != "well"]
    assert len(faults) == 1, faults
    [lost] = faults
    assert done.returncode == 1
    assert lost["name"] == "prometheus"
    assert "was not found within 1 s" in lost["message"]
