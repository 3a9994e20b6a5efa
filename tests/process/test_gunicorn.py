"""gunicorn: plain under `opentelemetry-instrument`, and with the package's configuration; every kind of worker."""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.distro import APP, App, instrumented
from support.process import BIN, wait_for

from otel_chatbot.testing import OtlpSink

FAST = {"OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_BLRP_SCHEDULE_DELAY": "100", "OTEL_METRIC_EXPORT_INTERVAL": "300"}
GUNICORN = (str(BIN / "gunicorn"), "-b", "127.0.0.1:{port}", "-w", "3")
CONFIGURED = [GUNICORN[0], "-c", "python:otel_chatbot.gunicorn", *GUNICORN[1:], "app:app"]
LAST_REQUEST = APP.replace(
    "    log.info",
    """
    import gc, time
    from gunicorn.workers.base import Worker
    (worker,) = (one for one in gc.get_objects() if isinstance(one, Worker))
    open("asked", "w").close()
    while worker.alive:  # until it is told to end
        time.sleep(0.01)
    log.info""",
)


def total(sink: OtlpSink) -> float:
    found = [m for _, m in sink.metrics() if m.name == "chatbot.api.requests"]
    return sum(point.as_double for point in found[-1].sum.data_points) if found else 0.0


def load(app: App, requests: int) -> None:
    with ThreadPoolExecutor(6) as pool:
        assert {status for status, _ in pool.map(lambda _: app.get(), range(requests))} == {200}


def workers_of(sink: OtlpSink) -> set[object]:
    return {resource["process.pid"] for resource, _ in sink.spans_with_resource()}


SHAPES = [("sync", "plain"), ("gthread", "configured"), ("gevent", "plain"), ("sync", "preload"), ("gevent", "preload")]


@pytest.mark.parametrize(("kind", "how"), SHAPES)
def test_what_arrives_equals_what_was_asked_by_every_kind_of_worker(
    tmp_path: Path, otlp_sink: OtlpSink, kind: str, how: str, scale: int
) -> None:
    requests = 90 * scale
    command = list(CONFIGURED) if how == "configured" else instrumented(*GUNICORN, "app:app")
    command += ["-k", kind, *(["--threads", "2"] if kind == "gthread" else []), *(["--preload"] if how == "preload" else [])]
    command += ["--max-requests", str(requests // 4)]
    with App(tmp_path, {**FAST, "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint}, APP, command, path="/health/live") as app:
        load(app, requests)
        for _ in range(20):  # the kernel gives requests to whom it likes: ask until several workers have answered
            if len(workers_of(otlp_sink)) >= 3:
                break
            load(app, 30)
            requests += 30
            time.sleep(0.2)
        assert app.end() == 0
    assert total(otlp_sink) == requests
    assert len({span.span_id for span in otlp_sink.spans() if span.name == "GET /"}) == requests
    assert len({resource["service.instance.id"] for resource, _ in otlp_sink.metrics()}) == 1
    workers = workers_of(otlp_sink)
    assert len(workers) >= 3
    assert app.pid not in workers
    assert "WORKER TIMEOUT" not in app.stderr
    assert "Traceback" not in app.stderr


def test_the_apps_own_configuration_keeps_working_beside_ours(tmp_path: Path, otlp_sink: OtlpSink) -> None:
    (tmp_path / "gunicorn.conf.py").write_text(
        "workers = 2\n"
        "def worker_exit(server, worker):\n    open('theirs.txt', 'a').write('worker_exit\\n')\n"
        "def on_exit(server):\n    open('theirs.txt', 'a').write('on_exit\\n')\n"
        "def when_ready(server):\n    open('theirs.txt', 'a').write('ready\\n')\n"
    )
    command = [GUNICORN[0], "-c", "python:otel_chatbot.gunicorn", "-b", "127.0.0.1:{port}", "app:app"]
    with App(tmp_path, {**FAST, "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint}, APP, command, path="/health/live") as app:
        load(app, 20)
        assert app.end() == 0
    assert sorted((tmp_path / "theirs.txt").read_text().split()) == ["on_exit", "ready", "worker_exit", "worker_exit"]
    assert total(otlp_sink) == 20


def test_an_app_may_import_our_configuration_into_its_own(tmp_path: Path, otlp_sink: OtlpSink) -> None:
    (tmp_path / "gunicorn.conf.py").write_text("from otel_chatbot.gunicorn import *\nworkers = 2\n")
    command = [GUNICORN[0], "-b", "127.0.0.1:{port}", "app:app"]
    with App(tmp_path, {**FAST, "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint}, APP, command, path="/health/live") as app:
        load(app, 20)
        assert app.end() == 0
    assert total(otlp_sink) == 20


@pytest.mark.parametrize("start", ["", "import otel_chatbot\notel_chatbot.instrument()\n"], ids=["plain", "instrument()"])
@pytest.mark.parametrize("kind", ["sync", "gthread", "gevent"])
def test_a_request_that_is_under_way_when_the_app_is_told_to_end_is_told_of_whole(
    tmp_path: Path, otlp_sink: OtlpSink, kind: str, start: str
) -> None:
    """The app's own `instrument()` runs in the worker, after gunicorn has taken over the signals."""
    command = [GUNICORN[0], "-b", "127.0.0.1:{port}", "-w", "1", "-k", kind, "app:app"]
    env = {**FAST, "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint}
    command = command if start else instrumented(*command)
    with App(tmp_path, env, start + LAST_REQUEST, command, path="/health/live") as app, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(app.get)
        app.wait((tmp_path / "asked").exists, "the request")
        assert app.end() == 0
        assert answer.result() == (200, "hello")
    assert [span.name for span in otlp_sink.spans()] == ["GET /"]
    assert "hello from the app" in {record.body.string_value for record in otlp_sink.logs()}
    assert total(otlp_sink) == 1
    assert [str(metric) for _, metric in otlp_sink.metrics() if metric.name == "chatbot.telemetry.dropped"] == []
    assert "Traceback" not in app.stderr


def test_readiness_turns_503_while_a_worker_drains(tmp_path: Path) -> None:
    source = APP.replace(
        '    log.info("hello from the app")',
        "    from pathlib import Path; import time\n"
        "    Path('began').touch()\n    while not Path('go').exists(): time.sleep(0.02)",
    )
    command = [GUNICORN[0], "-c", "python:otel_chatbot.gunicorn", "-b", "127.0.0.1:{port}", "-w", "1", "-k", "gthread"]
    command += ["--threads", "4", "--keep-alive", "10", "app:app"]
    with App(tmp_path, FAST, source, command, path="/health/live") as app, ThreadPoolExecutor(1) as pool:
        import http.client

        assert app.get("/health/ready")[0] == 200
        probe = http.client.HTTPConnection("127.0.0.1", app.port, timeout=10)
        probe.request("GET", "/health/ready")
        assert probe.getresponse().read()
        slow = pool.submit(app.get)
        wait_for((tmp_path / "began").exists, "the request that is to drain")
        workers = Path(f"/proc/{app.pid}/task/{app.pid}/children").read_text().split()
        import os

        os.kill(int(workers[0]), signal.SIGTERM)

        def refused() -> bool:
            probe.request("GET", "/health/ready")
            answer = probe.getresponse()
            answer.read()
            return answer.status == 503

        wait_for(refused, "readiness to turn", every=0.1)
        assert not slow.done()
        (tmp_path / "go").touch()
        assert slow.result()[0] == 200
        probe.close()
