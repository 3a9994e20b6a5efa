"""The endpoint is away, sick, slow, silent or talks nonsense: nothing is lost, the app does not notice, everything has a limit."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from support.distro import App
from support.outage import (
    BATCH_SECONDS,
    FAST,
    METRICS_SECONDS,
    Arrived,
    Load,
    Moody,
    dropped,
    exports_lag,
    gunicorn,
    python,
    spool_of,
)
from support.process import clean_env, free_port, wait_for
from support.proofs import record_proof
from support.weather import BlackHole

from otel_chatbot.testing import OtlpSink

PROTO = {"Content-Type": "application/x-protobuf"}
TAKEN = (200, PROTO, b"")


def test_an_outage_under_load_with_a_kill_in_it_and_a_sick_endpoint_after_it_loses_nothing(tmp_path: Path, scale: int) -> None:
    outage = 1.0 if scale == 1 else min(60.0, 3.0 * scale)
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    with gunicorn(tmp_path, endpoint) as app:
        with OtlpSink(port) as before, Load(app.port) as load:
            assert before.wait(lambda sink: bool(sink.spans() and sink.logs() and list(sink.metrics())), 30)
        received = len(before.requests)
        with Load(app.port, first=1_000_000) as away:
            wait_for(lambda: len(away.answered) > 20 and spool_of(tmp_path), "requests during the outage", 30)
            time.sleep(outage / 2)
            assert len(before.requests) == received
            wait_for(lambda: exports_lag(tmp_path) < 2 * BATCH_SECONDS, "a machine that is not late", 60)
            killed = time.monotonic()
            os.killpg(app.pid, signal.SIGKILL)
        app.popen.wait(10)
    with gunicorn(tmp_path, endpoint) as app, Load(app.port, first=2_000_000) as restarted:
        wait_for(lambda: len(restarted.answered) > 20, "requests after the restart", 30)
        time.sleep(outage / 2)
        sick = 0

        def answer(_: str) -> int:
            nonlocal sick
            sick += not well.is_set()
            return 200 if well.is_set() else 503

        well = threading.Event()
        with OtlpSink(port) as after:
            after.answer = answer
            wait_for(lambda: sick >= 3, "a sick endpoint", 120)
            well.set()
            wait_for(
                lambda: Arrived([after]).logs.keys() > set(range(2_000_001, 2_000_020)), "what was on disk", 180, every=0.5
            )
            restarted.__exit__()
            wait_for(lambda: not spool_of(tmp_path), "an empty spool", 120)
            app.end()
            assert spool_of(tmp_path) == []
    first, last = Arrived([before]), Arrived([after])
    both = Arrived([before, after])
    answered = {**load.answered, **away.answered, **restarted.answered}
    for arrived in (both.logs, both.spans):
        lost = sorted(answered.keys() - arrived.keys())
        assert all(number in away.answered for number in lost)
        assert all(killed - away.answered[number][0] < BATCH_SECONDS + 1.0 for number in lost), "only the last batch interval"
        assert arrived.keys() - answered.keys() <= set(range(1_000_000, 2_000_000)), "answers that the kill cut off"
    assert len(both.requests) == 2, "two runs"
    totals = [last.requests[run] for run in sorted(last.requests, key=lambda run: run not in first.requests)]
    assert totals[1] == len(restarted.answered)
    surely = len(load.answered) + sum(1 for end, _ in away.answered.values() if killed - end > METRICS_SECONDS + 1.0)
    assert surely <= totals[0] <= len(load.answered) + len(away.answered) + 4
    twice = sum(times - 1 for times in both.span_ids.values())
    assert twice == 0, "nothing was in flight at the kill, nor when the endpoint went"
    record_proof(
        "An outage under load, a kill -9 in it, a sick endpoint after it",
        seconds_of_outage=outage,
        requests=len(answered),
        spans_lost=len(answered.keys() - both.spans.keys()),
        log_records_lost=len(answered.keys() - both.logs.keys()),
        seconds_before_the_kill_of_the_oldest_loss=max(
            (killed - away.answered[number][0] for number in answered.keys() - both.logs.keys()), default=0.0
        ),
        spans_twice=twice,
        metric_totals_of_the_two_runs=f"{totals[0]:g}, {totals[1]:g}",
        answers_of_503=sick,
    )


def test_what_was_in_flight_at_a_kill_arrives_twice_at_most_and_nothing_else_does(tmp_path: Path) -> None:
    holding = threading.Event()
    with OtlpSink() as sink:
        with python(tmp_path, sink.endpoint) as app:
            arrived, held = threading.Event(), threading.Event()

            def answer(path: str) -> int:
                if holding.is_set() and path == "/v1/traces" and not held.is_set():
                    held.set()
                    arrived.set()
                    time.sleep(1.0)
                return 200

            sink.answer = answer
            with Load(app.port) as load:
                wait_for(lambda: len(Arrived([sink]).spans) > 10, "spans", 30)
                holding.set()
                assert arrived.wait(30)
                app.end(signal.SIGKILL)
            wait_for(lambda: spool_of(tmp_path), "what waits on disk")
        with python(tmp_path, sink.endpoint) as app:
            wait_for(lambda: not spool_of(tmp_path), "an empty spool", 60)
            app.end()
    found = Arrived([sink])
    twice = [span for span, times in found.span_ids.items() if times > 1]
    assert 0 < len(twice) <= 512, "the batch that was on its way"
    assert max(found.span_ids.values()) == 2
    assert max(found.logs.values()) <= 2
    assert len(load.answered) >= len(found.spans) - 4


def test_with_a_silent_endpoint_no_request_waits_and_its_thread_is_the_only_one_that_does(tmp_path: Path, scale: int) -> None:
    with BlackHole() as hole, python(tmp_path, f"http://127.0.0.1:{hole.port}") as app:
        app.wait(lambda: app.get("/r/1")[0] == 200 and hole.accepted, "a sender that waits")
        seen: dict[str, set[str]] = {}
        with Load(app.port, pause=0.0) as load:
            for _ in range(40 * scale):
                for thread, stack in json.loads(app.get("/stacks")[1]).items():
                    seen.setdefault(thread.split(" ")[0].rstrip("0123456789-"), set()).update(stack)
    assert len(load.answered) > 100
    assert any("urllib3" in frame for frame in seen["otel-chatbot-sender"]), "the sender waits for the endpoint"
    forbidden = ("distro/transport", "distro/sender", "distro/spool", "distro/otlp", "/exporter/", "urllib3/", "requests/")
    for thread, stack in seen.items():
        if thread not in (
            "otel-chatbot-sender",
            "OtelBatchSpanRecordProcessor",
            "OtelBatchLogRecordProcessor",
            "otel-chatbot-metrics",
        ):
            assert not [frame for frame in stack if any(part in frame for part in forbidden)], thread
    for thread in ("OtelBatchSpanRecordProcessor", "OtelBatchLogRecordProcessor", "otel-chatbot-metrics"):
        assert not [frame for frame in seen.get(thread, ()) if "urllib3/" in frame or "requests/" in frame], thread


HANGS = """
import sys, threading, time
import otel_chatbot as o
o.instrument()
from opentelemetry import trace
from otel_chatbot.distro.delivery import transport
from otel_chatbot.distro.delivery.otlp import Target

hang = threading.Event()
def forever(*_, **__):
    hang.wait(120)
    raise OSError("the disk is back, too late")
if sys.argv[1] == "disk":
    transport.Spool.put = forever
else:
    Target.post = forever
tracer, log, stuck = trace.get_tracer("t"), o.get_logger("app"), threading.Event()

def request():
    for number in range(1500):
        with tracer.start_as_current_span("work"):
            log.info("line %d", number)
            o.messages_sent.inc()
    stuck.set()

threads = [threading.Thread(target=request, daemon=True) for _ in range(3)]
began = time.monotonic()
for thread in threads: thread.start()
for thread in threads: thread.join(60)
print("done" if not any(thread.is_alive() for thread in threads) else "stuck", flush=True)
from otel_chatbot.distro.state import SETUP
queues = [c._queue for c in SETUP.shutdown._closables if getattr(c, "_queue", None) is not None]
print(sorted(len(queue) for queue in queues), flush=True)
from otel_chatbot.metrics.store import STORE
from otel_chatbot.semconv import metrics as m
print({key: series.read()[0] for key, series in STORE.instrument(m.TELEMETRY_DROPPED).series.items()}, flush=True)
began = time.monotonic()
SETUP.shutdown.run()
print("shut down" if time.monotonic() - began < 30 else "late", flush=True)
import os; os._exit(0)
"""


@pytest.mark.parametrize("what", ["disk", "endpoint"])
def test_a_disk_or_an_endpoint_that_hangs_holds_no_lock_that_a_request_needs(tmp_path: Path, what: str) -> None:
    """The hang never ends, so what ends does not depend on it."""
    (tmp_path / "script.py").write_text(HANGS)
    done = subprocess.run(
        [sys.executable, "script.py", what], cwd=tmp_path, capture_output=True, text=True, timeout=120,
        env=clean_env({**FAST, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "CHATBOT_OTEL_SHUTDOWN_TIMEOUT": "2"}),
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert lines[0] == "done", done.stdout + done.stderr
    assert lines[3] == "shut down", done.stdout
    if what == "disk":
        assert lines[1] == "[2048, 2048]", "queues are full, and no fuller"
        assert "('traces', 'queue_full'): " in lines[2]
        assert done.stderr.count("is full: the oldest are dropped and counted") <= 2
    else:
        assert lines[2] == "{}", "the disk takes it"
    assert not [line for line in done.stderr.splitlines() if "Queue full" in line]


def test_a_spool_at_its_limit_drops_the_oldest_and_counts_every_span_over_all_workers(tmp_path: Path, scale: int) -> None:
    limit = 200_000
    with BlackHole() as hole:
        port = hole.port
        with gunicorn(tmp_path, f"http://127.0.0.1:{port}", 3, CHATBOT_OTEL_SPOOL_MAX_BYTES=str(limit)) as app:
            most, seen = 0, set()
            with Load(app.port, pause=0.0) as load:
                end = time.monotonic() + 60 * scale
                while dropped(app, signal="traces", reason="spool_full") < 40 * scale and time.monotonic() < end:
                    most = max(most, sum(path.stat().st_size for path in _still_there(spool_of(tmp_path))))
                    seen.update(path.name for path in spool_of(tmp_path))
                    time.sleep(0.05)
            wait_for(lambda: _settled(app), "batches on disk")
            kept = {path.name for path in spool_of(tmp_path)}
            assert max(seen - kept) < min(kept), "the oldest went: names sort by time"
            lost = dropped(app, signal="traces", reason="spool_full")
            assert lost >= 40 * scale
            assert 0 < most <= limit
            hole.__exit__()
            with OtlpSink(port) as sink:
                wait_for(lambda: not spool_of(tmp_path), "an empty spool", 120)
                lost = dropped(app, signal="traces")
                app.end()
        found = Arrived([sink])
        assert len(found.spans) + lost == len(load.answered)
        assert len(app.stderr.split("does not take")) - 1 <= 3 * 2, "a line for the sender, and one for each that took over"


def _settled(app: App) -> bool:
    before = dropped(app)
    time.sleep(4 * BATCH_SECONDS)
    return dropped(app) == before


def _still_there(paths: list[Path]) -> Iterator[Path]:
    return (path for path in paths if path.exists())


@contextmanager
def full_disk(pid: int) -> Iterator[None]:
    """The kernel lets a process write to no file beyond its first bytes."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (64, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


def test_on_a_full_disk_the_app_works_spans_leave_past_the_spool_and_what_does_not_is_counted(tmp_path: Path) -> None:
    with OtlpSink() as sink, python(tmp_path, sink.endpoint) as app:
        numbers = iter(range(1, 1000))

        def ask(times: int) -> None:
            for number in [next(numbers) for _ in range(times)]:
                assert app.get(f"/r/{number}")[0] == 200

        ask(5)
        wait_for(lambda: len(Arrived([sink]).spans) == 5, "spans")
        with full_disk(app.pid):
            ask(20)
            wait_for(lambda: len(Arrived([sink]).spans) == 25, "spans that went past the spool", 30)
            assert dropped(app, signal="traces") == 0
            sink.answer = lambda _: 503
            ask(10)
            wait_for(lambda: dropped(app, signal="traces", reason="write_failed") == 10, "a count", 30)
        sink.answer = lambda _: 200
        ask(5)
        wait_for(lambda: len(Arrived([sink]).spans) == 30, "spans when the disk has room again", 30)
        assert app.end() == -signal.SIGTERM
    assert app.stderr.count("cannot be written") <= 3
    assert "Traceback" not in app.stderr


def test_nonsense_is_no_success_and_is_outlived_with_one_warning(tmp_path: Path) -> None:
    partial = ExportTraceServiceResponse()
    partial.partial_success.rejected_spans = 0
    nonsense: list[tuple[int, dict[str, str], bytes | None]] = [
        (302, {"Location": "/login"}, b""),
        (200, {"Content-Type": "text/html"}, b"<html>sign in</html>"),
        (200, PROTO, b"<html>"),
        (503, {}, b""),
        (429, {"Retry-After": "0"}, b""),
        (200, {}, None),
    ]
    with Moody(*nonsense, TAKEN) as endpoint, python(tmp_path, endpoint.address) as app:
        for number in range(10):
            assert app.get(f"/r/{number}")[0] == 200
        app.wait(lambda: endpoint.asked > len(nonsense) and not spool_of(tmp_path), "an empty spool", 90)
        assert dropped(app) == 0
        app.end()
    spans = [
        span.span_id
        for path, body in endpoint.taken
        if path == "/v1/traces"
        for group in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]
    assert len(spans) == len(set(spans)) == 10
    assert app.stderr.count("does not take") == 1


def test_a_slow_endpoint_gets_everything_and_slows_no_request(tmp_path: Path) -> None:
    with OtlpSink() as sink, python(tmp_path, sink.endpoint) as app:
        sink.answer = lambda _: time.sleep(0.5) or 200  # type: ignore[func-returns-value]
        with Load(app.port) as load:
            wait_for(lambda: len(load.answered) >= 100, "requests", 60)
        wait_for(lambda: len(Arrived([sink]).spans) == len(load.answered), "all spans", 60)
        app.end()
    assert max(Arrived([sink]).span_ids.values()) == 1


LEAVES_NOTHING = """
import json, os, threading, time
def files():
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try: found[name] = os.readlink(f"/proc/self/fd/{name}")
        except OSError: pass
    return found
before = files()
import otel_chatbot as o
o.instrument()
from opentelemetry import trace
for number in range(50):
    with trace.get_tracer("t").start_as_current_span("work"):
        o.get_logger("app").info("line %d", number)
        o.messages_sent.inc()
time.sleep(1.0)
from otel_chatbot.distro.state import SETUP
SETUP.shutdown.run()
end = time.monotonic() + 10
while threading.active_count() > 1 and time.monotonic() < end: time.sleep(0.02)
left = [path for name, path in files().items() if name not in before]
print(json.dumps({"threads": [t.name for t in threading.enumerate()], "files": left}))
"""


@pytest.mark.parametrize("endpoint", ["up", "refused", "silent"])
def test_a_shutdown_leaves_no_thread_no_connection_and_nothing_of_the_spool_open(tmp_path: Path, endpoint: str) -> None:
    (tmp_path / "script.py").write_text(LEAVES_NOTHING)
    with OtlpSink() as sink, BlackHole() as hole:
        url = {"up": sink.endpoint, "refused": f"http://127.0.0.1:{free_port()}", "silent": f"http://127.0.0.1:{hole.port}"}
        env = {**FAST, "OTEL_EXPORTER_OTLP_ENDPOINT": url[endpoint], "CHATBOT_OTEL_SHUTDOWN_TIMEOUT": "2"}
        env["OTEL_EXPORTER_OTLP_TIMEOUT"] = "3"  # what is on its way at the end of the budget ends with its own
        done = subprocess.run(
            [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60, env=clean_env(env)
        )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["threads"] == ["MainThread"]
    assert [path for path in found["files"] if "socket" in path or "spool" in path or "pipe" in path] == []
