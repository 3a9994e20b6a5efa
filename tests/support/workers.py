"""A gunicorn whose workers come and go under load, and everything that a run of it left behind: what the tests judge.

The truth is kept by nobody of ours: the clients count their answers, and the app writes a line to a file of its own
after each view. A run has a third of its requests before the process that exports is killed with -9, a third before the
app is reloaded (HUP), a third after; workers are recycled all the time; pollers read `/metrics` and `/metrics/json`.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from otel_chatbot.distro.metrics.export import MIRROR_SECONDS
from otel_chatbot.testing import OtlpSink, attributes

from .arbiter import children, state
from .distro import App, instrumented
from .process import BIN, clean_env, program, wait_for

CLIENTS = 8
APP = """
import itertools, logging, os, time
from flask import Flask
from opentelemetry import metrics, trace
import otel_chatbot
from otel_chatbot import messages_sent

app = Flask(__name__)
otel_chatbot.setup_logger(max_bytes=int(os.environ["LOG_BYTES"]), backup_count=500, console_output=False)
log = logging.getLogger("app")
theirs = metrics.get_meter("shop").create_counter("shop.orders")
sizes = metrics.get_meter("shop").create_histogram("shop.size", explicit_bucket_boundaries_advisory=[1, 10])
numbers = itertools.count()

@app.get("/work")
def work():
    name = f"{os.getpid()}:{next(numbers)}"
    messages_sent.inc()
    theirs.add(1)
    sizes.record(5)
    trace.get_current_span().set_attribute("app.view", name)
    log.info("work %s", name)
    descriptor = os.open("truth", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{name}:{time.time()}\\n".encode())
    os.close(descriptor)
    return name

@app.after_request
def say_who(response):
    response.headers["X-Pid"] = str(os.getpid())
    return response
"""
OTLP = {"OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_BLRP_SCHEDULE_DELAY": "100", "OTEL_METRIC_EXPORT_INTERVAL": "200"}


START = {
    "opentelemetry-instrument": "",
    "python:otel_chatbot.gunicorn": "",
    "instrument()": "import otel_chatbot\notel_chatbot.instrument()\n",
}
"""The ways to set the package up, each with what the app itself says first."""


@dataclass(frozen=True)
class Shape:
    """A way to run gunicorn; `start` is one of START."""

    kind: str
    workers: int = 4
    start: str = "opentelemetry-instrument"
    preload: bool = False

    def command(self, recycle_after: int) -> list[str]:
        words = [str(BIN / "gunicorn"), "-b", "127.0.0.1:{port}", "-w", str(self.workers), "-k", self.kind]
        words += ["--threads", "4"] if self.kind == "gthread" else []
        words += ["--preload"] if self.preload else []
        words += ["--max-requests", str(recycle_after), "--max-requests-jitter", str(recycle_after // 4), "app:app"]
        if self.start == "opentelemetry-instrument":
            return instrumented(*words)
        return [words[0], "-c", self.start, *words[1:]] if self.start.startswith("python:") else words

    def __str__(self) -> str:
        return f"{self.workers} {self.kind}, {self.start}{', preload' if self.preload else ''}"


@dataclass
class Evidence:
    """What a run left behind. Figures by series, as `name{labels}`."""

    shape: Shape
    app: App
    sink: OtlpSink
    answered: int = 0
    """Requests with a good answer, and a whole one."""
    failed: int = 0
    """Requests without: those that the killed worker held in its hands."""
    views: dict[str, float] = field(default_factory=dict)
    """`pid:number` of each view that ran to its end, and when (unix seconds)."""
    killed: int = 0
    killed_at: float = 0.0
    leader_after: int = 0
    before_reload: set[int] = field(default_factory=set)
    """The workers that the reload has replaced."""
    falls: list[str] = field(default_factory=list)
    """What a poller saw fall or vanish."""
    readings: int = 0
    readers: set[int] = field(default_factory=set)
    """Workers that answered a poller."""
    last: dict[int, tuple[dict[str, float], dict[str, float]]] = field(default_factory=dict)
    """By worker, what it shows of all counters and histograms when nothing happens any more: text and JSON."""
    pids: set[int] = field(default_factory=set)
    """Every worker that ran a view."""
    code: int = -1
    seconds: float = 0.0
    ending: float = 0.0
    left_on_disk: int = 0
    """Payloads that the workers could not send in time: the next run sends them, or `otel-chatbot spool replay`."""

    def shown(self, series: str) -> float:
        """What any worker showed at the end."""
        return next(iter(self.last.values()))[0][series]

    def views_by_pid(self) -> Counter[int]:
        return Counter(int(view.partition(":")[0]) for view in self.views)

    def export_times(self, after: float = 0.0) -> set[float]:
        """When the points of the exports were made (unix seconds)."""
        times = {point.time_unix_nano / 1e9 for _, metric in self.sink.metrics() for point in points_of(metric)}
        return {one for one in times if one > after}

    def exported(self, name: str) -> list[Any]:
        """The points of a metric in the last export that has it."""
        found = [metric for _, metric in self.sink.metrics() if metric.name == name]
        return list(points_of(found[-1])) if found else []


def points_of(metric: Any) -> Any:
    return getattr(metric, metric.WhichOneof("data")).data_points


def series_of(sink: OtlpSink) -> set[tuple[str, str]]:
    """Every series that was ever exported: the metric's name and its attributes, the resource's among them."""
    return {
        (metric.name, json.dumps([resource, attributes(point.attributes)], sort_keys=True))
        for resource, metric in sink.metrics()
        for point in points_of(metric)
    }


def viewed_in_spans(sink: OtlpSink) -> dict[str, int]:
    """The views of which a span has come, each with the process id that the span's resource names."""
    found: dict[str, int] = {}
    for resource, span in sink.spans_with_resource():
        name = attributes(span.attributes).get("app.view")
        if name:
            assert found.setdefault(name, resource["process.pid"]) == resource["process.pid"]
    return found


def viewed_in_logs(sink: OtlpSink) -> dict[str, int]:
    """The same for log records."""
    found: dict[str, int] = {}
    for path, message in list(sink.requests):
        for group in message.resource_logs if path == "/v1/logs" else ():
            pid = attributes(group.resource.attributes)["process.pid"]
            for scope in group.scope_logs:
                for record in scope.log_records:
                    if record.body.string_value.startswith("work "):
                        assert found.setdefault(record.body.string_value[5:], pid) == pid
    return found


def ask(port: int, path: str, timeout: float = 30) -> tuple[int, str, int]:
    """Status, text and the worker of an answer; OSError or HTTPException when there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        text = answer.read().decode()
        return answer.status, text, int(answer.headers.get("X-Pid", 0))
    finally:
        connection.close()


def growing(text: str) -> dict[str, float]:
    """The counters and histograms of an exposition: what may never fall."""
    kinds = dict(line.split(" ")[2:4] for line in text.splitlines() if line.startswith("# TYPE"))
    families = {name for name, kind in kinds.items() if kind in ("counter", "histogram")}
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            series, value = line.rsplit(" ", 1)
            name = series.partition("{")[0]
            if name in families or name.rpartition("_")[0] in families:
                found[series] = float(value)
    return found


def growing_json(text: str) -> dict[str, float]:
    """The same from the JSON."""
    found = {}
    for name, figures in json.loads(text)["metrics"].items():
        if figures["type"] == "counter":
            found[name] = float(figures["value"])
        elif figures["type"] == "histogram":
            found |= {f"{name}_count": float(figures["count"]), f"{name}_sum": float(figures["sum"])}
            found |= {f"{name}_bucket {edge}": float(count) for edge, count in figures["buckets"].items()}
    return found


def leader(folder: Path) -> int:
    """The process that leads the run: it holds the lock of the file `leader`; 0 when none does."""
    files = list(folder.glob("tmp/otel-chatbot-*/*/leader"))
    inodes = {str(path.stat().st_ino) for path in files}
    for line in Path("/proc/locks").read_text().splitlines():
        words = line.split()
        if words[1] == "POSIX" and words[3] == "WRITE" and words[5].rpartition(":")[2] in inodes:
            return int(words[4])
    return 0


class Load:
    """Clients that ask all the time; each action is taken after so many more good answers, and so many follow the last one.

    An action may wait for what it needs: the clients go on asking meanwhile, so that it is always taken under load.
    """

    def __init__(self, port: int, answers: int, actions: Sequence[Callable[[], None]]) -> None:
        self.answered = self.failed = 0
        self._port, self._answers, self._actions = port, answers, actions
        self._lock = threading.Lock()
        self._enough = threading.Event()

    def run(self) -> None:
        threads = [threading.Thread(target=self._ask_on) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            for action in self._actions:
                self._wait_for_answers()
                action()
            self._wait_for_answers()
        finally:
            self._enough.set()
            for thread in threads:
                thread.join()

    def _wait_for_answers(self) -> None:
        wanted = self.answered + self._answers
        wait_for(lambda: self.answered >= wanted, f"{wanted} answers", 600)

    def _ask_on(self) -> None:
        while not self._enough.is_set():
            good = False
            with suppress(OSError, http.client.HTTPException):
                status, text, pid = ask(self._port, "/work")
                good = status == 200 and text.startswith(f"{pid}:")
            with self._lock:
                self.answered += good
                self.failed += not good


class Poller:
    """Reads one view from whichever worker answers, all the time, and notes what falls."""

    def __init__(self, port: int, path: str, parse: Callable[[str], dict[str, float]]) -> None:
        self.falls: list[str] = []
        self.readings = 0
        self.readers: set[int] = set()
        self._port, self._path, self._parse = port, path, parse
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Poller:  # noqa: PYI034 - typing.Self needs Python 3.11
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        before: dict[str, float] = {}
        while not self._stop.wait(0.02):
            try:
                status, text, pid = ask(self._port, self._path)
            except (OSError, http.client.HTTPException):
                continue  # the worker that was killed
            assert status == 200, text
            now = self._parse(text)
            self.falls += [
                f"{series}: {value} {now.get(series)}" for series, value in before.items() if now.get(series, -1.0) < value
            ]
            before = now
            self.readings += 1
            self.readers.add(pid)


def run(folder: Path, shape: Shape, total: int) -> Evidence:
    """Run an app in a shape through its whole life, with at least so many requests."""
    folder.mkdir(parents=True)
    (folder / "tmp").mkdir()
    log_bytes = max(15_000, total * 50)
    with OtlpSink() as sink:
        env = {**OTLP, "OTEL_EXPORTER_OTLP_ENDPOINT": sink.endpoint, "TMPDIR": str(folder / "tmp"), "LOG_BYTES": str(log_bytes)}
        if total > 1000:  # minutes of load on a busy machine make more payloads of a tenth of a second than one sender sends
            env |= {"OTEL_BSP_SCHEDULE_DELAY": "500", "OTEL_BLRP_SCHEDULE_DELAY": "500"}
        command = shape.command(max(50, total // 8))
        with App(folder, env, START[shape.start] + APP, command, path="/health/live") as app:
            found = Evidence(shape, app, sink)
            began = time.monotonic()
            before_reload = found.before_reload

            def leads_and_has_run_a_view() -> bool:
                found.killed = leader(folder)
                return found.killed in workers_of(folder, app)

            def kill() -> None:
                app.wait(lambda: any(sink.metrics()), "the first export", 120)
                app.wait(leads_and_has_run_a_view, "a worker that leads and has run a view", 60)
                found.killed_at = time.time()
                os.kill(found.killed, signal.SIGKILL)

            def reload() -> None:
                wait_for(lambda: leader(folder) not in (0, found.killed), "another worker that leads", 60)
                found.leader_after = leader(folder)
                before_reload.update(children(app.pid))
                app.popen.send_signal(signal.SIGHUP)
                app.wait(lambda: workers_of(folder, app) - before_reload, "a view in a worker from after the reload", 120)

            load = Load(app.port, total // 3, [kill, reload])
            text, figures = Poller(app.port, "/metrics", growing), Poller(app.port, "/metrics/json", growing_json)
            with text, figures:
                load.run()
            found.answered, found.failed = load.answered, load.failed
            found.seconds = time.monotonic() - began
            found.falls = text.falls + figures.falls
            found.readings = text.readings + figures.readings
            found.readers = text.readers | figures.readers
            app.wait(lambda: before_reload.isdisjoint(children(app.pid)), "the end of the workers from before the reload", 120)
            app.wait(lambda: len(found.export_times(after=found.killed_at)) > 1, "exports by the next leader", 60)
            found.last = last_words(app, shape)
            ending = time.monotonic()
            found.code = app.end(timeout=60)
            found.ending = time.monotonic() - ending
            found.left_on_disk = replay(folder, env)
        for line in (folder / "truth").read_text().split():
            name, _, when = line.rpartition(":")
            assert name not in found.views
            found.views[name] = float(when)
        found.pids = set(found.views_by_pid())
    return found


def workers_of(folder: Path, app: App) -> set[int]:
    """The workers of now that have run a view to its end."""
    views = (folder / "truth").read_text().split()
    return {int(view.partition(":")[0]) for view in views}.intersection(children(app.pid))


def replay(folder: Path, env: Mapping[str, str]) -> int:
    """Send what the workers of a slow machine have left in the spool; how many payloads there were."""
    left = len(list((folder / "logs" / "spool").glob("*.otlp")))
    if left:
        words = [program("otel-chatbot", "run `make setup`"), "spool", "replay"]
        subprocess.run(words, cwd=folder, env=clean_env(env), check=True, timeout=600, capture_output=True)
    return left


def last_words(app: App, shape: Shape) -> dict[int, tuple[dict[str, float], dict[str, float]]]:
    """What each worker shows once nothing happens any more: all the others stand still while one is asked."""
    found: dict[int, tuple[dict[str, float], dict[str, float]]] = {}
    others: list[tuple[int, int, int]] = []
    for _ in range(10):
        there = quiet(app, shape.workers)
        if found.keys() >= set(there):
            return {pid: found[pid] for pid in there}
        for pid in there:
            with suppress(OSError, http.client.HTTPException), standing_still([one for one in there if one != pid]):
                _, text, who = ask(app.port, "/metrics", 10)
                _, figures, again = ask(app.port, "/metrics/json", 10)
                if {who, again} == {pid}:
                    found[pid] = growing(text), growing_json(figures)
                else:  # it was recycled in between
                    others.append((pid, who, again))
    raise AssertionError(f"{len(found)} of {shape.workers} workers answered, others were {others}: {app.stderr[-4000:]}")


def quiet(app: App, workers: int) -> list[int]:
    """The workers, once there are so many and the same ones for longer than other libraries' figures take to be shared."""
    there, since = children(app.pid), time.monotonic()

    def still() -> bool:
        nonlocal there, since
        now = children(app.pid)
        if now != there or len(now) != workers:
            there, since = now, time.monotonic()
        return time.monotonic() - since > MIRROR_SECONDS + 0.3

    app.wait(still, f"{workers} workers that stay", 120)
    return there


@contextmanager
def standing_still(pids: Iterable[int]) -> Iterator[None]:
    """Processes stopped in the meantime; those that have ended do not matter."""
    stopped = [pid for pid in pids if _signalled(pid, signal.SIGSTOP)]
    try:
        wait_for(lambda: all(state(pid) in "TZ" for pid in stopped), "processes that stand still")
        yield
    finally:
        for pid in stopped:
            _signalled(pid, signal.SIGCONT)


def _signalled(pid: int, number: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False
