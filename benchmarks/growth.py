"""The growth of cost with ten times the series, routes, workers or log volume; each point is measured in its own process.

Fed by `environment`; feeds `run.py` with curves. Linear means that the last column, the cost of one more, does not rise.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import environment as e
from figures import spread
from request_cost import measure


@dataclass(frozen=True)
class Point:
    """A size, and the cost at this size."""

    size: int
    cost: float


@dataclass(frozen=True)
class Curve:
    """The cost at growing sizes."""

    what: str
    grows: str
    unit: str
    points: Sequence[Point]


def small_process(*arguments: str, **env: str) -> list[str]:
    """The lines printed by a benchmark that runs in the common environment with the package on its path."""
    with tempfile.TemporaryDirectory(prefix="bench-") as ours, tempfile.TemporaryDirectory(prefix="bench-") as theirs:
        full = {
            **e.clean(),
            "PYTHONPATH": f"{e.ASIDE / e.PACKAGE}:{e.HERE}",
            "CHATBOT_OTEL_MULTIPROC_DIR": ours,
            "CHATBOT_OTEL_LOG_DIR": ours,
            "CHATBOT_OTEL_SERIES_LIMIT": "1000000",
            **({"PROMETHEUS_MULTIPROC_DIR": theirs} if "--workers" in arguments else {}),
            **env,
        }
        command = [str(e.BIN / "python"), *arguments]
        done = subprocess.run(command, env=full, cwd=e.HERE, check=False, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{command}:\n{done.stderr[-3000:]}")
        return done.stdout.splitlines()


def reading(arguments: Mapping[int, Sequence[str]]) -> list[Point]:
    points = []
    for size, more in arguments.items():
        [line] = small_process("reading.py", "--curve", "--rounds", "7", *more)
        points.append(Point(size, json.loads(line) / 1000))
    return points


LINES_PROGRAM = """
import sys, time, logging, small
from otel_chatbot.logs.files import LogFiles
count = int(sys.argv[1])
files = LogFiles(sys.argv[2], max_bytes=2**20, backup_count=400)
spent = 0.0
for start in range(0, count, 1000):
    records = [small.log_record(n) for n in range(1000)]
    begin = time.process_time()
    for record in records:
        files.write(record)
    spent += time.process_time() - begin
files.close()
print(spent)
"""


def log_lines(count: int) -> Point:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        [line] = small_process("-c", LINES_PROGRAM, str(count), folder)
    return Point(count, float(line) * 1000)


def route_cost(routes: int, rounds: int) -> Point:
    """The cost that we add to a request of an app with so many routes, which are asked in turn."""
    requests = max(300, routes)
    found = measure((e.BARE, e.OURS), rounds, requests, {"ROUTES": str(routes)})
    pairs = zip(found[e.OURS.name], found[e.BARE.name], strict=True)
    return Point(routes, spread([ours - bare for ours, bare in pairs])[1])


def curves(rounds: int) -> list[Curve]:
    series = {size: ("--series", str(size)) for size in (1_000, 10_000, 100_000)}
    workers = {count: ("--series", "1000", "--workers", str(count)) for count in (1, 4, 10, 40)}
    return [
        Curve("CPU of a scrape, one process", "series", "ms", reading(series)),
        Curve("CPU of a scrape, 1,000 series a worker", "workers", "ms", reading(workers)),
        Curve("CPU added to a request", "routes", "µs", [route_cost(count, rounds) for count in (10, 100, 1_000)]),
        Curve(
            "CPU of writing log lines, rotated at 1 MiB",
            "lines",
            "ms",
            [log_lines(count) for count in (1_000, 10_000, 100_000)],
        ),
    ]


def main() -> None:
    e.prepare()
    for curve in curves(7):
        print(curve.what)
        for point in curve.points:
            print(f"  {point.size:8,} {curve.grows:8} {point.cost:10.2f} {curve.unit}")


if __name__ == "__main__":
    main()
