"""Forks while threads record, collect and export: no child hangs, none counts what its parent counted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.process import clean_env
from support.proofs import record_proof

from otel_chatbot.testing import OtlpSink

STORM = """
import os, signal, sys, threading, time
import otel_chatbot
otel_chatbot.instrument()
from opentelemetry import metrics, trace
from otel_chatbot import messages_sent
from otel_chatbot.distro.state import SETUP
from otel_chatbot.metrics import view

forks = int(sys.argv[1])
theirs = metrics.get_meter("shop").create_counter("shop.orders")
times = metrics.get_meter("shop").create_histogram("shop.time")
tracer = trace.get_tracer("storm")
stop = threading.Event()
counted = [0, 0]

def record(slot):
    while not stop.is_set():
        with tracer.start_as_current_span("work"):
            messages_sent.inc()
            theirs.add(1)
            times.record(0.1)
            counted[slot] += 1

def collect():
    while not stop.is_set():
        view.read()
        SETUP.export.export()
        trace.get_tracer_provider().force_flush()

threads = [threading.Thread(target=record, args=(0,)), threading.Thread(target=record, args=(1,)), threading.Thread(target=collect)]
for thread in threads:
    thread.start()
bad = []
for number in range(forks):
    child = os.fork()
    if child == 0:
        signal.alarm(30)  # a child that hangs is killed by it, and seen
        with tracer.start_as_current_span("child"):
            messages_sent.inc()
            theirs.add(1)
            times.record(0.1)
        own = [p.value for f in view.read() if f.spec.name == "shop.orders" for p in f.points]
        SETUP.shutdown.run()
        os._exit(0 if own and min(own) > 0 else 7)
    status = os.waitpid(child, 0)[1]
    if status:
        bad.append(status)
stop.set()
for thread in threads:
    thread.join()
print(len(bad), bad[:5], sum(counted) + forks, flush=True)
"""


def test_children_neither_hang_nor_count_what_the_parent_counted(tmp_path: Path, otlp_sink: OtlpSink, scale: int) -> None:
    forks = min(200, 10 * scale)
    (tmp_path / "storm.py").write_text(STORM)
    env = clean_env(
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint,
            "OTEL_METRIC_EXPORT_INTERVAL": "100",
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }
    )
    done = subprocess.run(
        [sys.executable, "storm.py", str(forks)], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr[-3000:]
    bad, _, expected = done.stdout.replace("[]", "-").split()
    assert bad == "0", done.stdout + done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    series: dict[str, list[float]] = {}
    for _, metric in otlp_sink.metrics():
        if metric.name in ("chatbot.messages.sent", "shop.orders"):
            series.setdefault(metric.name, []).append(sum(point.as_double for point in metric.sum.data_points))
        if metric.name == "shop.time":
            series.setdefault(metric.name, []).append(sum(point.count for point in metric.histogram.data_points))
    assert set(series) == {"chatbot.messages.sent", "shop.orders", "shop.time"}
    for name, values in series.items():
        assert values == sorted(values), f"{name} fell"
        assert values[-1] == float(expected), name
    children = [span for span in otlp_sink.spans() if span.name == "child"]
    assert len(children) == forks
    record_proof(
        "Forks while threads record, collect and export",
        forks=forks,
        hung=0,
        counted=int(series["chatbot.messages.sent"][-1]),
        expected=int(expected),
        exports=len(series["chatbot.messages.sent"]),
        exports_that_fell=0,
    )


def test_a_child_has_its_own_process_id_and_the_chosen_instance_id(tmp_path: Path, otlp_sink: OtlpSink) -> None:
    code = (
        "import os, otel_chatbot; otel_chatbot.instrument()\n"
        "from opentelemetry import trace\n"
        "from otel_chatbot.distro.state import SETUP\n"
        "pid = os.fork()\n"
        "with trace.get_tracer('t').start_as_current_span('child' if pid == 0 else f'parent of {pid}'): pass\n"
        "if pid == 0:\n    SETUP.shutdown.run(); os._exit(0)\n"
        "os.waitpid(pid, 0)\n"
    )
    env = clean_env({"OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint, "OTEL_RESOURCE_ATTRIBUTES": "service.instance.id=mine"})
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, check=True, timeout=60)
    found = {span.name.split()[0]: (resource, span) for resource, span in otlp_sink.spans_with_resource()}
    assert found["child"][0]["process.pid"] == int(found["parent"][1].name.split()[-1])
    assert found["parent"][0]["process.pid"] != found["child"][0]["process.pid"]
    assert {resource["service.instance.id"] for resource, _ in found.values()} == {"mine"}


IMPORTING = """
import os, signal, sys, time
import otel_chatbot
otel_chatbot.instrument()
otel_chatbot.messages_sent.inc()  # starts the threads, which import what sending needs
pids = []
for number in range(12):
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)  # a child that hangs is killed by it, and seen
        import netrc, requests
        otel_chatbot.messages_sent.inc()
        sys.exit(0)
    pids.append(pid)
    time.sleep(0.02)
print(sum(os.waitpid(pid, 0)[1] != 0 for pid in pids))
"""
SENDING = """
import logging, os, signal, sys, threading, time
import otel_chatbot
otel_chatbot.instrument()
from opentelemetry import trace
tracer = trace.get_tracer("t")
stop = threading.Event()

def tell():
    while not stop.is_set():
        with tracer.start_as_current_span("told"):
            pass
        time.sleep(0.001)

threading.Thread(target=tell).start()
bad = 0
for number in range(int(sys.argv[1])):
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        if number % 4:
            os._exit(0)
        sys.exit(0)  # with all exit hooks: libraries' finalizers may take locks, too
    bad += os.waitpid(pid, 0)[1] != 0
    time.sleep(0.002)
stop.set()
print(bad)
"""


def test_children_forked_while_our_threads_import_can_import_the_same(tmp_path: Path, otlp_sink: OtlpSink, scale: int) -> None:
    env = clean_env({"OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint})
    for _ in range(min(scale, 20)):
        done = subprocess.run(
            [sys.executable, "-c", IMPORTING], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")


def test_children_forked_while_our_threads_send_end_by_themselves(tmp_path: Path, otlp_sink: OtlpSink, scale: int) -> None:
    env = clean_env({"OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "1"})
    forks = 40 if scale == 1 else min(100 * scale, 1000)
    done = subprocess.run(
        [sys.executable, "-c", SENDING, str(forks)], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=280
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")
    assert len(otlp_sink.spans()) > 10


INHERITING = """
import os
import otel_chatbot
otel_chatbot.instrument()
from opentelemetry import metrics
from otel_chatbot.distro.state import SETUP
from otel_chatbot.metrics import view

def shown():
    families = {family.spec.name: family for family in view.read()}
    return [families["shop.orders"].points[0].value, sum(families["shop.time"].histograms[0].counts)]

metrics.get_meter("shop").create_counter("shop.orders").add(7)
metrics.get_meter("shop").create_histogram("shop.time").record(0.1)
print(shown(), flush=True)
pid = os.fork()
otel_chatbot.messages_sent.inc()
print(shown(), flush=True)
if pid == 0:
    SETUP.shutdown.run()
    os._exit(0)
os.waitpid(pid, 0)
print(shown(), flush=True)
"""


def test_a_child_that_measures_nothing_itself_does_not_tell_its_parents_figures_of_other_libraries_again(
    tmp_path: Path, otlp_sink: OtlpSink
) -> None:
    env = clean_env({"OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint})
    words = [sys.executable, "-c", INHERITING]
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
    assert (sorted(done.stdout), done.stderr) == (sorted("[7.0, 1]\n" * 4), "")  # the children's writes may mix
    exported = [metric for _, metric in otlp_sink.metrics() if metric.name == "shop.orders"]
    assert [point.as_double for point in exported[-1].sum.data_points] == [7.0]


FORKING_GREENLETS = """
from gevent import monkey; monkey.patch_all()
import gevent, os, subprocess
import otel_chatbot; otel_chatbot.instrument()
from opentelemetry import metrics, trace
from opentelemetry._logs import get_logger_provider

metrics.get_meter("shop").create_counter("shop.orders").add(7)
with trace.get_tracer("shop").start_as_current_span("sold"):
    print("observed by", type(trace.get_tracer_provider()).__module__)
elsewhere = os.open("elsewhere", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
here = os.getpid()

def greenlet():
    while True:
        if os.getpid() != here:
            os.write(elsewhere, b"x")
            os._exit(9)
        gevent.sleep(0)

for _ in range(4):
    gevent.spawn(greenlet)
for _ in range(10):
    subprocess.run(["true"], check=True)
print(os.path.getsize("elsewhere"))
"""


def test_a_program_that_gevent_starts_runs_no_copy_of_the_parents_greenlets_before(tmp_path: Path, otlp_sink: OtlpSink) -> None:
    # gevent forks with Python's hooks. A hook that waits for a thread lets copies of the parent's greenlets go on, which
    # write to the parent's connections: requests arrive twice, answers at the wrong request.
    env = clean_env({"OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint})
    words = [sys.executable, "-c", FORKING_GREENLETS]
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("observed by opentelemetry.sdk.trace\n0\n", "")
