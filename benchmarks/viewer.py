"""The viewer compared with sqlite3 alone for the same rows, and the time of its questions as its tables grow.

    python benchmarks/viewer.py [--sizes 10000,100000,1000000] [--folder /tmp] [--output docs/viewer-curve.md]

A real `otel-chatbot ui` gets equal numbers of spans and log records over HTTP from four connections, 20,000 rows at a time;
then sqlite3 in this process writes the same rows, made before, into the same tables, in one transaction. So both are measured
in turn, under the same load of the machine. Afterwards, viewers with few and with many rows get the same questions in turn.
Prints one JSON line per size.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from typing_extensions import Self
from viewer_rows import BODY, QUESTIONS, bodies, log_body, question, trace_body

from otel_chatbot.ui import schema
from otel_chatbot.ui.ingest import PROTOBUF
from otel_chatbot.ui.otlp import add_logs, add_traces
from otel_chatbot.ui.rows import Batch
from otel_chatbot.ui.store import _LOG, _SPAN

ROUNDS = 300
"""Questions of each kind: with 60, three that the machine held up were the 95th percentile."""
SENDERS = 4
AT_ONCE = 20_000
"""Rows of one turn: as many as the viewer puts into one transaction when it has a backlog."""
MIB = 1024 * 1024


class Viewer:
    """`otel-chatbot ui` as a process with a limit of so many MiB; a context manager."""

    def __init__(self, folder: Path, max_mib: int) -> None:
        self.data = folder / "viewer.sqlite"
        command = [sys.executable, "-c", "import sys; from otel_chatbot.cli import main; sys.exit(main())", "ui"]
        more = [
            str(folder / "nowhere"),
            "--port",
            "0",
            "--data",
            str(self.data),
            "--max-mib",
            str(max_mib),
            "--max-days",
            "36500",
        ]
        self.process = subprocess.Popen([*command, *more], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline().rstrip("/\n").rpartition(":")[2])
        self.asking = http.client.HTTPConnection("127.0.0.1", self.port)
        self.connections = [http.client.HTTPConnection("127.0.0.1", self.port) for _ in range(SENDERS)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.terminate()
        self.process.wait(60)
        for path in self.data.parent.glob("viewer.sqlite*"):
            path.unlink()

    def take(self, waiting: list[tuple[str, bytes]]) -> float:
        """Post bodies from all connections at once; the seconds until the last one was acknowledged."""

        def send(connection: http.client.HTTPConnection) -> None:
            while waiting:
                try:
                    path, body = waiting.pop()
                except IndexError:
                    return
                status = 503
                while status == 503:  # it is busy: an exporter tries again, too
                    connection.request("POST", path, body, {"Content-Type": PROTOBUF})
                    answer = connection.getresponse()
                    told = answer.read()
                    status = answer.status
                assert status == 200, told

        threads = [threading.Thread(target=send, args=(one,)) for one in self.connections]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - began

    def ask(self, path: str) -> float:
        """Ask for something; return the seconds until the whole answer was there."""
        self.asking.close()
        self.asking.connect()  # the viewer ends connections that are idle, and others are asked meanwhile
        began = time.perf_counter()
        self.asking.request("GET", f"/api/{path}")
        answer = self.asking.getresponse()
        told = answer.read()
        seconds = time.perf_counter() - began
        assert answer.status == 200, told
        return seconds

    def memory(self) -> float:
        """The most memory that it has had, in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

    def disk(self) -> float:
        """The size of its file and of the log beside it, in MiB."""
        return sum(path.stat().st_size for path in self.data.parent.glob("viewer.sqlite*")) / MIB


class Alone:
    """The same rows by sqlite3 alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "cache_size = -32000"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(schema.TABLES)

    def take(self, batch: Batch) -> float:
        """Write a batch; return the seconds."""
        began = time.perf_counter()
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany(_SPAN, batch.spans)
        self._db.executemany(_LOG, batch.logs)
        self._db.execute("COMMIT")
        return time.perf_counter() - began

    def close(self) -> None:
        self._db.close()
        for path in self.path.parent.glob(self.path.name + "*"):
            path.unlink()


def fill(viewer: Viewer, folder: Path, size: int, *, both: bool) -> tuple[float, float]:
    """Write spans and records into a viewer and, in turn, into sqlite3 alone; return the rows per second of both."""
    alone = Alone(folder / "alone.sqlite")
    ours = theirs = 0.0
    for first in range(0, size, AT_ONCE // 2):
        last = min(size, first + AT_ONCE // 2)
        ours += viewer.take(list(bodies(first, last))[::-1])
        if not both:
            continue
        batch = Batch()
        for number in range(first, last, BODY):
            add_traces(trace_body(number), batch)
            add_logs(log_body(number), batch)
        theirs += alone.take(batch)
    alone.close()
    return 2 * size / ours, 2 * size / theirs if both else float("nan")


def asked(viewers: dict[int, Viewer]) -> dict[int, dict[str, tuple[float, float]]]:
    """By viewer and question, the median and the 95th percentile in milliseconds; all viewers are asked in turn."""
    found: dict[int, dict[str, tuple[float, float]]] = {size: {} for size in viewers}
    for name in QUESTIONS:
        seconds: dict[int, list[float]] = {size: [] for size in viewers}
        for number in range(ROUNDS):
            for size, viewer in viewers.items():
                seconds[size].append(1000 * viewer.ask(question(name, number, size)))
        for size in viewers:
            median, p95 = statistics.median(seconds[size]), statistics.quantiles(seconds[size], n=20)[-1]
            found[size][name] = round(median, 2), round(p95, 2)
    return found


def bounded(folder: Path, mib: int, size: int) -> dict[str, object]:
    """The most disk space of a viewer with a limit while it gets more rows than it may keep."""
    most = 0.0
    with Viewer(folder, mib) as viewer:
        for first in range(0, size, AT_ONCE // 2):
            viewer.take(list(bodies(first, first + AT_ONCE // 2)))
            most = max(most, viewer.disk())
    return {"limit in MiB": mib, "rows": 2 * size, "most on the disk in MiB": round(most, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description="What the viewer takes, beside sqlite3 alone.")
    parser.add_argument("--sizes", default="10000,100000,1000000", help="spans, and as many log records")
    parser.add_argument("--folder", default=tempfile.gettempdir())
    parser.add_argument("--output", type=Path, help="a Markdown file for the curve")
    parser.add_argument("--questions", action="store_true", help="leave sqlite3 alone out: half the time")
    options = parser.parse_args()
    results: dict[int, dict[str, object]] = {}
    with ExitStack() as open_, tempfile.TemporaryDirectory(dir=options.folder) as folder:
        viewers: dict[int, Viewer] = {}
        for size in map(int, options.sizes.split(",")):
            place = Path(folder, str(size))
            place.mkdir()
            viewers[size] = open_.enter_context(Viewer(place, 8192))
            rate, bare = fill(viewers[size], place, size, both=not options.questions)
            results[size] = {
                "spans and records": 2 * size, "rows a second": round(rate), "sqlite3 alone": bare if options.questions else round(bare),
                "ratio": round(rate / bare, 2), "bytes a row": round(viewers[size].disk() * MIB / size / 2),
            }  # fmt: skip
            print(json.dumps(results[size]), flush=True)
        for size, times in asked(viewers).items():
            results[size] |= {"median and p95 in ms": times, "memory in MiB": round(viewers[size].memory())}
            print(json.dumps(results[size]), flush=True)
        open_.close()
        Path(folder, "bounded").mkdir()
        limit = bounded(Path(folder, "bounded"), 64, 200_000)
        print(json.dumps(limit), flush=True)
    if options.output:
        options.output.write_text(curve(results, limit))


def curve(results: dict[int, dict[str, object]], limit: dict[str, object]) -> str:
    """The figures as tables: one column per size, and for each question the slow-down from the smallest to the largest."""
    sizes = list(results)
    heads = " | ".join(f"{2 * size:,}" for size in sizes)
    lines = ["| rows | " + heads + " |", "|---" * (len(sizes) + 1) + "|"]
    figures = ("rows a second", "sqlite3 alone", "ratio", "memory in MiB", "bytes a row")
    lines += [f"| {name} | " + " | ".join(f"{results[size][name]}" for size in sizes) + " |" for name in figures]
    lines += ["", f"| median / p95 in ms at rows | {heads} | largest by smallest |", "|---" * (len(sizes) + 2) + "|"]
    for name in QUESTIONS:
        told = [results[size]["median and p95 in ms"][name] for size in sizes]  # type: ignore[index]
        by = [last / first for last, first in zip(told[-1], told[0], strict=True)]
        lines.append(
            f"| {name} | " + " | ".join(f"{median} / {p95}" for median, p95 in told) + f" | {by[0]:.1f} / {by[1]:.1f} |"
        )
    lines += ["", "With a limit: " + ", ".join(f"{name} {value}" for name, value in limit.items()) + "."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
