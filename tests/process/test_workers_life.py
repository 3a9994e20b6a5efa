"""gunicorn's life around the requests: forks amid the master's threads, reloads, the end in time, the start from nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.arbiter import children
from support.distro import App
from support.forking import run_folders
from support.process import BIN, clean_env, wait_for
from support.proofs import record_proof
from support.workers import (
    APP,
    OTLP,
    Shape,
    ask,
    growing,
    points_of,
    viewed_in_logs,
    viewed_in_spans,
)

from otel_chatbot.testing import OtlpSink

CONFIGURED = "python:otel_chatbot.gunicorn"
MASTER_THREADS = (
    APP
    + """
import threading
from otel_chatbot.metrics import view

beats = [0, 0]
tracer = trace.get_tracer("master")

def count():
    while not os.path.exists("stop"):
        messages_sent.inc()
        theirs.add(1)
        beats[0] += 1
        time.sleep(0.0005)

def tell():
    while not os.path.exists("stop"):
        with tracer.start_as_current_span("beat"):
            log.info("beat %d", beats[1])
        beats[1] += 1
        time.sleep(0.01)

def read():
    while not os.path.exists("stop"):
        view.read()
        time.sleep(0.002)

def run():
    threads = [threading.Thread(target=target) for target in (count, tell, read)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    with open("beats.new", "w") as file:
        file.write(f"{beats[0]} {beats[1]}")
    os.rename("beats.new", "beats")

threading.Thread(target=run).start()
"""
)


def environment(folder: Path, sink: OtlpSink | None = None, **more: str) -> dict[str, str]:
    (folder / "tmp").mkdir(exist_ok=True, parents=True)
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": sink.endpoint} if sink else {}
    return {**OTLP, **endpoint, "TMPDIR": str(folder / "tmp"), "LOG_BYTES": "10000000", **more}


def load(app: App, requests: int, clients: int = 4) -> None:
    with ThreadPoolExecutor(clients) as pool:
        assert {answer[0] for answer in pool.map(lambda _: ask(app.port, "/work"), range(requests))} == {200}


def shown(app: App, name: str) -> float:
    """A counter, summed over its series, from whichever worker answers."""
    found = growing(ask(app.port, "/metrics")[1])
    return sum(value for series, value in found.items() if series.partition("{")[0] == name)


def exported(sink: OtlpSink, name: str) -> float:
    return sum(point.as_double for point in points_of([m for _, m in sink.metrics() if m.name == name][-1]))


@pytest.mark.parametrize("start", ["opentelemetry-instrument", CONFIGURED])
def test_workers_are_forked_amid_the_masters_own_threads_without_a_hang_or_a_false_figure(
    tmp_path: Path, otlp_sink: OtlpSink, start: str, scale: int
) -> None:
    requests = 60 * scale
    command = Shape("sync", 3, start, preload=True).command(4)
    patient = {"CHATBOT_OTEL_SHUTDOWN_TIMEOUT": "50"}  # a busy machine may need more than the default for the last of it
    with App(tmp_path, environment(tmp_path, otlp_sink, **patient), MASTER_THREADS, command, path="/health/live") as app:
        load(app, requests)
        (tmp_path / "stop").touch()
        wait_for((tmp_path / "beats").exists, "the master's threads to end", 60)
        assert app.end(timeout=120) == 0
    counted, told = map(int, (tmp_path / "beats").read_text().split())
    views = (tmp_path / "truth").read_text().split()
    workers = {view.partition(":")[0] for view in views}
    assert len(views) == requests
    assert len(workers) > requests / 12
    assert exported(otlp_sink, "chatbot.messages.sent") == requests + counted
    assert exported(otlp_sink, "shop.orders") == requests + counted
    beats = {span.span_id: resource["process.pid"] for resource, span in otlp_sink.spans_with_resource() if span.name == "beat"}
    assert (len(beats), set(beats.values())) == (told, {app.pid})
    lines = Counter(record.body.string_value for record in otlp_sink.logs())
    assert [number for number in range(told) if f"beat {number}" not in lines] == []
    assert len(viewed_in_spans(otlp_sink)) == len(viewed_in_logs(otlp_sink)) == requests
    for word in ("WORKER TIMEOUT", "Traceback", "fault"):
        assert word not in app.stderr
    record_proof(f"Forks amid the master's threads: {start}", forks=len(workers), counted_by_the_master=counted, hung=0, lost=0)


def test_all_workers_and_the_master_end_in_time_though_the_endpoint_swallows_everything(tmp_path: Path) -> None:
    budget, workers = 5, 4
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen(50)
        env = environment(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{hole.getsockname()[1]}")
        command = Shape("gthread", workers, CONFIGURED).command(1000)
        with App(tmp_path, {**env, "CHATBOT_OTEL_SHUTDOWN_TIMEOUT": str(budget)}, APP, command, path="/health/live") as app:
            load(app, 100)
            began = time.monotonic()
            assert app.end(timeout=120) == 0
            lasted = time.monotonic() - began
    assert lasted < workers * budget, "the workers side by side, then the master: two budgets, where one by one they need five"
    kept = {path.name.split(".")[1] for path in (tmp_path / "logs" / "spool").glob("*.otlp")}
    assert kept == {"traces", "logs", "metrics"}
    with OtlpSink() as sink:
        env = clean_env({**env, "OTEL_EXPORTER_OTLP_ENDPOINT": sink.endpoint})
        subprocess.run([str(BIN / "otel-chatbot"), "spool", "replay"], cwd=tmp_path, env=env, check=True, timeout=60)
        assert len(viewed_in_spans(sink)) == len(viewed_in_logs(sink)) == 100
        assert exported(sink, "chatbot.messages.sent") == 100


def test_the_apps_own_configuration_is_read_again_at_a_reload(tmp_path: Path) -> None:
    own = tmp_path / "gunicorn.conf.py"
    own.write_text("workers = 1\ntimeout = 50\ndef worker_exit(server, worker):\n    open('exits', 'a').write('first\\n')\n")
    command = [str(BIN / "gunicorn"), "-c", CONFIGURED, "-b", "127.0.0.1:{port}", "app:app"]
    with App(tmp_path, environment(tmp_path), APP, command, path="/health/live") as app:
        load(app, 10)
        own.write_text("workers = 3\ndef worker_exit(server, worker):\n    open('exits', 'a').write('second\\n')\n")
        app.popen.send_signal(signal.SIGHUP)
        app.wait(lambda: len(children(app.pid)) == 3, "three workers")
        load(app, 10)
        assert shown(app, "chatbot_messages_sent_total") == 20
        assert app.end() == 0
    assert Counter((tmp_path / "exits").read_text().split())["second"] == 3


def test_the_end_of_a_worker_that_the_master_could_not_signal_is_not_the_masters(tmp_path: Path) -> None:
    code = (
        "from types import SimpleNamespace\n"
        "from otel_chatbot import gunicorn, messages_sent\n"
        "gunicorn.worker_exit(None, SimpleNamespace(pid=1))\n"
        "from opentelemetry import trace\n"
        "with trace.get_tracer('t').start_as_current_span('after'): messages_sent.inc()\n"
    )
    with OtlpSink() as sink:
        env = clean_env(environment(tmp_path, sink))
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")
        assert [span.name for span in sink.spans()] == ["after"]


def test_a_restart_after_everything_was_killed_starts_from_nothing_and_clears_what_was_left(tmp_path: Path) -> None:
    command = Shape("sync", 2).command(1000)
    env = environment(tmp_path)
    with App(tmp_path, env, APP, command, path="/health/live") as app:
        load(app, 20)
        assert shown(app, "chatbot_messages_sent_total") == 20
        (first,) = run_folders(tmp_path)
        os.killpg(app.pid, signal.SIGKILL)
        app.popen.wait(10)
    with App(tmp_path, env, APP, command, path="/health/live") as app:
        assert shown(app, "chatbot_messages_sent_total") == 0
        load(app, 5)
        assert shown(app, "chatbot_messages_sent_total") == 5
        (second,) = run_folders(tmp_path)
        assert second != first


def test_the_run_of_a_daemon_outlives_the_process_that_started_it(tmp_path: Path) -> None:
    command = Shape("sync", 1).command(1000)
    command[-1:-1] = ["--daemon", "--pid", "daemon.pid"]
    env = environment(tmp_path)
    with App(tmp_path, env, APP, command, path="/health/live", wait=False) as starter:
        wait_for(lambda: starter.get("/health/live")[0] == 200, "the daemon", 30)
        assert starter.popen.wait(10) == 0
        pid = int((tmp_path / "daemon.pid").read_text())
        try:
            load(starter, 5)
            (worker,) = children(pid)
            os.kill(worker, signal.SIGKILL)
            wait_for(lambda: children(pid) not in ([], [worker]), "another worker")
            # Another app of the same user starts just now, and clears away the runs that have ended.
            code = "from otel_chatbot import messages_sent; messages_sent.inc()"
            subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=clean_env(env), check=True, timeout=60)
            load(starter, 5)
            assert shown(starter, "chatbot_messages_sent_total") == 10
        finally:
            os.kill(pid, signal.SIGTERM)
            wait_for(lambda: not Path(f"/proc/{pid}").exists(), "the end of the daemon")
