"""Apps that export often, load with a ledger, and endpoints of every mood: for the tests and the benchmark of an outage.

Fed by the tests of outages and `benchmarks/outage.py`; feeds on real servers alone.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from typing_extensions import Self

from otel_chatbot.testing import OtlpSink

from .distro import App, instrumented
from .http_answers import HttpServer
from .process import BIN

APP = """
import faulthandler, logging, os, sys, tempfile, threading
from flask import Flask, jsonify
from opentelemetry import trace

app = Flask(__name__)
log = logging.getLogger("app")
log.setLevel("INFO")

@app.get("/r/<int:number>")
def answer(number):
    log.info("answer %d", number)
    trace.get_current_span().set_attribute("number", number)
    return "ok"

@app.get("/stacks")
def stacks():
    # Written by C: to look at frames of threads that run may end the process (CPython 3.11).
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    with tempfile.TemporaryFile("w+") as file:
        faulthandler.dump_traceback(file)
        file.seek(0)
        found, lines = {}, []
        for line in file.read().splitlines():
            if " thread 0x" in line or line.startswith("Thread 0x"):
                ident = int(line.partition("0x")[2].split()[0], 16)
                lines = [] if ident == threading.get_ident() else found.setdefault(names.get(ident, str(ident)), [])
            elif line.startswith("  File "):
                lines.append(line.split('"')[1] + ":" + line.rpartition(" in ")[2])
    return jsonify(found)

if __name__ == "__main__":
    app.run(port=int(os.environ["PORT"]), use_reloader=False)
"""
"""An app that says a number in a log record and on its span, and what its threads are doing."""


BATCH_SECONDS, METRICS_SECONDS = 0.2, 0.4
FAST = {
    "OTEL_BSP_SCHEDULE_DELAY": str(round(BATCH_SECONDS * 1000)),
    "OTEL_BLRP_SCHEDULE_DELAY": str(round(BATCH_SECONDS * 1000)),
    "OTEL_METRIC_EXPORT_INTERVAL": str(round(METRICS_SECONDS * 1000)),
}


def gunicorn(folder: Path, endpoint: str, workers: int = 2, source: str = APP, **env: str) -> App:
    """The app under gunicorn, exporting to an endpoint."""
    command = instrumented(str(BIN / "gunicorn"), "-b", "127.0.0.1:{port}", "-w", str(workers), "--threads", "4", "app:app")
    return App(folder, {**FAST, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, **env}, source, command, path="/health/live")


def python(folder: Path, endpoint: str, **env: str) -> App:
    """The app in one process, exporting to an endpoint."""
    return App(folder, {**FAST, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, **env}, APP, path="/health/live")


def spool_of(folder: Path) -> list[Path]:
    """What waits on disk for an app of this folder to be sent."""
    return list((folder / "logs" / "spool").glob("*.otlp"))


def exports_lag(folder: Path) -> float:
    """Seconds since the last span or the last log record was written to the spool, whichever is longer ago."""
    times: dict[str, int] = {}
    for path in spool_of(folder):
        signal = path.name.split(".")[1]
        times[signal] = max(times.get(signal, 0), int(path.name.partition("-")[0]))
    return (time.time_ns() - min(times.get(signal, 0) for signal in ("traces", "logs"))) / 1e9


def dropped(app: App, **labels: str) -> float:
    """The sum of chatbot.telemetry.dropped over what has these labels, as any process of the app tells it."""
    wanted = {f"chatbot_telemetry_{name}": value for name, value in labels.items()}.items()
    families = text_string_to_metric_families(app.get("/metrics")[1])
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == "chatbot_telemetry_dropped_total" and wanted <= sample.labels.items()
    )


class Load:
    """Clients that ask for one number after the other until they are told to stop; `answered` has each one's end and seconds."""

    def __init__(self, port: int, *, first: int = 0, clients: int = 4, pause: float = 0.01) -> None:
        self.answered: dict[int, tuple[float, float]] = {}
        self.failed = 0
        self._port = port
        self._pause = pause
        self._next = first
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        while not self._stop.wait(self._pause):
            with self._lock:
                self._next += 1
                number = self._next
            began = time.monotonic()
            try:
                connection.request("GET", f"/r/{number}")
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 200
            except (OSError, http.client.HTTPException):
                self.failed += 1
                connection.close()
            else:
                self.answered[number] = (time.monotonic(), time.monotonic() - began)
        connection.close()


class Arrived:
    """What an endpoint has got: numbers of log records and spans, how often each; totals of requests by run."""

    def __init__(self, sinks: Iterable[OtlpSink]) -> None:
        self.logs: Counter[int] = Counter()
        self.spans: Counter[int] = Counter()
        self.span_ids: Counter[bytes] = Counter()
        self.requests: dict[str, float] = {}
        self.dropped: dict[tuple[str, str], float] = {}
        for sink in sinks:
            self._add(sink)

    def _add(self, sink: OtlpSink) -> None:
        for record in sink.logs():
            word, _, number = record.body.string_value.partition(" ")
            if word == "answer":
                self.logs[int(number)] += 1
        for span in sink.spans():
            self.span_ids[span.span_id] += 1
            for pair in span.attributes:
                if pair.key == "number":
                    self.spans[pair.value.int_value] += 1
        for resource, metric in sink.metrics():
            if metric.name == "chatbot.api.requests":
                run = resource["service.instance.id"]
                total = sum(
                    point.as_double for point in metric.sum.data_points if _attribute(point, "http.route") == "/r/<int:number>"
                )
                self.requests[run] = max(total, self.requests.get(run, 0.0))


def _attribute(point: Any, name: str) -> str:
    return next((pair.value.string_value for pair in point.attributes if pair.key == name), "")


class Moody(HttpServer):
    """An OTLP endpoint that answers with each of these (status, headers, body) in turn, and from then on as the last.

    A body of None is an answer that is no HTTP at all. `taken` has the bodies that were answered with the last mood.
    """

    def __init__(self, *moods: tuple[int, dict[str, str], bytes | None]) -> None:
        self.asked = 0
        self.taken: list[tuple[str, bytes]] = []
        self._moods = moods
        self._lock = threading.Lock()
        moody = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with moody._lock:
                    number = min(moody.asked, len(moody._moods) - 1)
                    moody.asked += 1
                    status, headers, text = moody._moods[number]
                    if number == len(moody._moods) - 1:
                        moody.taken.append((self.path, body))
                if text is None:
                    self.wfile.write(b"no HTTP at all\r\n\r\n")
                    return
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(text))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *args: Any) -> None: ...

        super().__init__(Handler)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
