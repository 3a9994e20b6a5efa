"""The document of the figures: docs/performance.md.

Fed by `run.py` with rows, tables and curves. The text beside the figures is in `notes.md` in this folder.
"""

from __future__ import annotations

import datetime as dt
import os
import platform
import statistics
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import environment as e
from calls import Calls
from figures import Row, spread
from growth import Curve
from request_cost import HELLO
from startup import Start

LIBRARIES = (
    "opentelemetry-distro", "opentelemetry-sdk", "opentelemetry-instrumentation-flask", "elastic-opentelemetry", "logfire",
    "prometheus-flask-exporter", "prometheus-client", "structlog", "python-json-logger", "concurrent-log-handler", "flask",
    "pymongo", "redis", "openai", "gunicorn",
)  # fmt: skip


@dataclass(frozen=True)
class Results:
    """All results; `tables` holds microseconds per request by side, one figure per round."""

    rounds: int
    requests: int
    """Those that were counted under callgrind."""
    rows: Sequence[Row]
    tables: Mapping[str, Mapping[str, list[float]]]
    starts: Mapping[str, Mapping[str, list[Start]]]
    rates: Mapping[str, list[float]]
    calls: Calls
    curves: Sequence[Curve]
    viewer: Sequence[Mapping[str, Any]]


def write(results: Results) -> str:
    """The document."""
    parts = [_head(results), _rows(results.rows)]
    parts += [_sides(title, found) for title, found in results.tables.items()]
    parts += [
        _calls(results.calls),
        _starts(results.starts),
        _rates(results.rates),
        *map(_curve, results.curves),
        _viewer(results.viewer),
        _configuration(),
    ]
    notes = e.HERE / "notes.md"
    return "\n\n".join([*parts, notes.read_text().strip()]) + "\n"


def _head(results: Results) -> str:
    commit = _output("git", "-C", str(e.ROOT), "rev-parse", "--short=12", "HEAD")
    model = next(
        (line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), platform.machine()
    )
    today = dt.datetime.now(dt.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    return f"""# What it costs

Written by `make bench` (`benchmarks/run.py`) on {today}, at commit {commit}; Python {platform.python_version()}, {os.cpu_count()} cores
of {model}, {platform.system()} {platform.release()}. Load of the machine at the end: {os.getloadavg()[0]:.1f}.

Ours and each peer were measured in one run, in turns (A B A B …). A figure is the median of the rounds, a ratio the median of
the rounds' ratios, and the spread goes from their 10th to their 90th percentile. CPU is the time of the whole process, all
threads and whatever they export included. The machine is a virtual one with two cores, shared with others: compare ratios,
not microseconds. "Added" is what a side costs beyond the bare app of the same round. Rows in instructions were counted under
callgrind (`benchmarks/instructions.py`), where no other load counts: they repeat to 2 %, where times differ by 25 %.
`--rounds {results.rounds} --requests {results.requests}`."""


def _rows(rows: Iterable[Row]) -> str:
    lines = ["## Against the goals", "", "| what | ours | peer | | ratio | spread | goal |", "|---|---:|---:|---|---:|---|---|"]
    for row in rows:
        goal = (
            ""
            if row.goal is None
            else f"{'at least' if row.at_least else 'at most'} {row.goal:g}: {'reached' if row.reached else '**not reached**'}"
        )
        places = 3 if row.goal is not None and 1 < row.goal < 1.05 else 2
        lines.append(
            f"| {row.what} | {_number(row.ours)} | {_number(row.peer)} {row.unit} | {row.peer_name} | {row.ratio:.{places}f} "
            f"| {row.low:.{places}f} to {row.high:.{places}f} | {goal} |"
        )
    return "\n".join(lines)


def _sides(title: str, found: Mapping[str, list[float]]) -> str:
    bare = found[e.BARE.name]
    lines = [f"## {title}", "", "| | CPU, µs | spread | added | added by stock = 1 |", "|---|---:|---|---:|---:|"]
    stock = [one - base for one, base in zip(found[e.STOCK.name], bare, strict=True)]
    for name, values in found.items():
        low, median, high = spread(values)
        extra = [one - base for one, base in zip(values, bare, strict=True)]
        ratio = statistics.median(a / b for a, b in zip(extra, stock, strict=True))
        added = "" if name == e.BARE.name else f"{statistics.median(extra):.0f} | {ratio:.2f}"
        lines.append(f"| {name} | {median:.0f} | {low:.0f} to {high:.0f} | {added or '|'} |")
    return "\n".join(lines)


def _calls(calls: Calls) -> str:
    lines = ["## Calls of functions added", "", "Python's and C's, by part of a chat turn: the same in every run.", ""]
    [first, *_] = calls.values()
    lines += [f"| | {' | '.join(first)} |", f"|---{'|---:' * len(first)}|"]
    lines += [f"| {side} | {' | '.join(_number(count) for count in parts.values())} |" for side, parts in calls.items()]
    return "\n".join(lines)


def _starts(starts: Mapping[str, Mapping[str, list[Start]]]) -> str:
    lines = ["## Start", "", "From the start of the process to the answer to its first request.", ""]
    lines += ["| app | | clock, ms | CPU, ms | memory, MiB |", "|---|---|---:|---:|---:|"]
    columns: tuple[Callable[[Start], float], ...] = (
        lambda one: one.clock * 1000,
        lambda one: one.cpu * 1000,
        lambda one: one.memory,
    )
    for app, sides in starts.items():
        for name, found in sides.items():
            figures = " | ".join(f"{statistics.median(map(pick, found)):.0f}" for pick in columns)
            lines.append(f"| {app} | {name} | {figures} |")
    return "\n".join(lines)


def _rates(rates: Mapping[str, list[float]]) -> str:
    lines = [
        "## Requests a second",
        "",
        "`POST /chat` of the example; servers and load on one core, gunicorn on the other.",
        "",
    ]
    lines += ["| | requests/s | spread |", "|---|---:|---|"]
    for name, values in rates.items():
        low, median, high = spread(values)
        lines.append(f"| {name} | {median:.1f} | {low:.1f} to {high:.1f} |")
    return "\n".join(lines)


def _curve(curve: Curve) -> str:
    lines = [
        f"## {curve.what}, as {curve.grows} grow",
        "",
        f"| {curve.grows} | {curve.unit} | {curve.unit} for one more |",
        "|---:|---:|---:|",
    ]
    before = None
    for point in curve.points:
        more = "" if before is None else f"{(point.cost - before.cost) / (point.size - before.size):.5f}"
        lines.append(f"| {point.size:,} | {_number(point.cost)} | {more} |")
        before = point
    return "\n".join(lines)


def _viewer(points: Sequence[Mapping[str, Any]]) -> str:
    lines = ["## The viewer", "", "Spans and log records posted to it, beside sqlite3 alone with the same rows."]
    lines += ["", "| | " + " | ".join(f"{point['spans and records']:,} rows" for point in points) + " |"]
    lines += ["|---|" + "---:|" * len(points)]
    for what in ("rows a second", "sqlite3 alone", "ratio", "memory in MiB", "bytes a row"):
        lines.append(f"| {what} | " + " | ".join(f"{point[what]:,}" for point in points) + " |")
    for question in points[0]["p95 in ms"]:
        values = " | ".join(f"{point['p95 in ms'][question]:,}" for point in points)
        lines.append(f"| {question}: 95th percentile, ms | {values} |")
    return "\n".join(lines)


def _configuration() -> str:
    versions = {name: _version(name) for name in LIBRARIES}
    lines = ["## Who was measured, and how it was set up", "", "| side | set up |", "|---|---|"]
    lines += [f"| {side.name} | {side.how}{_settings(side)} |" for side in HELLO]
    lines += [
        "",
        "All in one environment, locked in `requirements/bench.txt`: "
        + ", ".join(f"{k} {v}" for k, v in versions.items())
        + ".",
    ]
    return "\n".join(lines)


def _settings(side: e.Side) -> str:
    return "; " + ", ".join(f"`{name}={value}`" for name, value in side.env.items()) if side.env else ""


def _version(name: str) -> str:
    for line in e.LOCK.read_text().splitlines():
        if line.startswith(f"{name}=="):
            return line.split("==")[1].split()[0]
    raise LookupError(name)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _lines(path: str) -> list[str]:
    file = Path(path)
    return file.read_text().splitlines() if file.exists() else []
