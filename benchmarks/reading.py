"""What a scrape costs: one process with many series, and the view of all workers of an app, against prometheus_client.

Fed by `run.py`, which starts it in the benchmarks' environment, PROMETHEUS_MULTIPROC_DIR and CHATBOT_OTEL_MULTIPROC_DIR set
(prometheus_client decides at import whether it shares); prints a line of JSON: rows, or with --curve points of a curve.

Both write the same counters and histograms as Prometheus' text. Ours always reads the files of all workers, with one
worker too; prometheus_client reads its own memory there, and its workers' files where there are several.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable

import prometheus_client as prometheus
from figures import compare, per_call
from prometheus_client import multiprocess

from otel_chatbot import _wiring
from otel_chatbot.metrics import exposition, view
from otel_chatbot.metrics.store import STORE
from otel_chatbot.semconv import metrics as m

WRITTEN_LINES = 17
"""Samples of one histogram: its buckets, sum and count."""


def fill_ours(series: int) -> None:
    """Fill the store so that a scrape has `series` lines: half of them counters, half of them lines of histograms."""
    queries, times = STORE.instrument(m.DB_QUERIES), STORE.instrument(m.RESPONSE_TIME)
    for n in range(series // 2):
        queries.labels({"db.operation.name": f"o{n % 10}", "db.collection.name": f"c{n // 10}"}).add(1.0)
    for n in range(series // 2 // WRITTEN_LINES):
        times.labels({"http.route": f"/r{n}"}).observe(0.2)


def fill_theirs(series: int, registry: prometheus.CollectorRegistry) -> None:
    """The same in prometheus_client."""
    queries = prometheus.Counter("queries", "x", ["o", "c"], registry=registry)
    times = prometheus.Histogram("times", "x", ["r"], registry=registry, buckets=m.RESPONSE_TIME.buckets)
    for n in range(series // 2):
        queries.labels(f"o{n % 10}", f"c{n // 10}").inc()
    for n in range(series // 2 // WRITTEN_LINES):
        times.labels(f"/r{n}").observe(0.2)


def ours() -> object:
    return exposition.prometheus_text(view.read())


def worker(series: int) -> None:
    """A process that holds its series, ours and prometheus_client's, until its standard input ends."""
    fill_ours(series)
    fill_theirs(series, prometheus.CollectorRegistry())
    print("ready", flush=True)
    sys.stdin.read()


class Workers:
    """So many other processes with the same series."""

    def __init__(self, count: int, series: int) -> None:
        command = [sys.executable, __file__, "--series", str(series), "--worker"]
        self.processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ) for _ in range(count)
        ]
        for process in self.processes:
            assert process.stdout is not None
            assert process.stdout.readline(), "a worker ended"

    def end(self) -> None:
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(30)


def median_cost(read: Callable[[], object], rounds: int) -> float:
    read()
    return statistics.median(per_call(read, 1) for _ in range(rounds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=0, help="0: this process alone")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--curve", action="store_true", help="ours alone, as one number")
    parser.add_argument("--worker", action="store_true")
    chosen = parser.parse_args()
    _wiring.Configured.done = True
    if chosen.worker:
        worker(chosen.series)
        return
    registry = prometheus.CollectorRegistry()
    others = Workers(chosen.workers, chosen.series)
    if chosen.workers:
        multiprocess.MultiProcessCollector(registry)
        what, peer = (
            f"the view of {chosen.workers} workers, {chosen.series:,} series each",
            "prometheus_client, multi-process mode",
        )
    else:
        fill_ours(chosen.series)
        fill_theirs(chosen.series, registry)
        what, peer = f"`/metrics` at {chosen.series:,} series", "prometheus_client"
    if chosen.curve:
        print(json.dumps(median_cost(ours, chosen.rounds)))
    else:
        theirs = lambda: prometheus.generate_latest(registry)  # noqa: E731
        print(json.dumps(compare(what, ours, peer, theirs, rounds=chosen.rounds, times=1, goal=1.0).as_dict()))
    others.end()


if __name__ == "__main__":
    main()
