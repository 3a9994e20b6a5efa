"""How long an app takes to its first answer, and how much memory it then has, under each side.

    python benchmarks/startup.py [--rounds 15]

Fed by `environment`; feeds `run.py`. Each figure is a process of its own, from the start of `opentelemetry-instrument` to
the answer to one request; time as the clock has it and as CPU, memory as the largest resident set. Two apps: Flask alone,
and Flask with pymongo, redis and openai imported, as a chatbot has them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import environment as e
from figures import Row, row
from request_cost import sink

FLASK, CHATBOT = "Flask alone", "Flask, pymongo, redis, openai"
PROGRAM = """
import os, sys, resource, json, time
sys.path.insert(0, {apps!r})
import driven
{imports}
driven.check()
driven.app.get("/hello")(driven.hello)
driven.ask("/hello")
print(json.dumps([time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]), flush=True)
os._exit(0)
"""
IMPORTS = {FLASK: "", CHATBOT: "import openai, pymongo, redis"}


@dataclass(frozen=True)
class Start:
    """One start: seconds by the clock, seconds of CPU, MiB."""

    clock: float
    cpu: float
    memory: float


def start(side: e.Side, app: str, endpoint: str, folder: Path) -> Start:
    program = PROGRAM.format(apps=str(e.HERE / "apps"), imports=IMPORTS[app])
    begin = time.perf_counter()
    process = subprocess.Popen(
        side.command("-c", program), env=side.environment(endpoint, folder), cwd=folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    line = process.stdout.readline()
    clock = time.perf_counter() - begin
    _, errors = process.communicate(timeout=30)
    if not line:
        raise RuntimeError(f"{side.name}: {errors[-3000:]}")
    cpu, memory = json.loads(line)
    return Start(clock, cpu, memory)


def starts(rounds: int, app: str, sides: Sequence[e.Side] = (e.BARE, e.OURS, e.STOCK)) -> dict[str, list[Start]]:
    """The starts of every side, one side after the other."""
    found: dict[str, list[Start]] = {side.name: [] for side in sides}
    with sink() as endpoint:
        for number in range(rounds + 1):
            for side in sides:
                with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                    one = start(side, app, endpoint, Path(folder))
                if number:  # the first one compiles
                    found[side.name].append(one)
    return found


def rows(rounds: int) -> tuple[list[Row], dict[str, dict[str, list[Start]]]]:
    made: list[Row] = []
    all_starts = {}
    for app, goals in ((FLASK, (0.8, 0.8, 0.9)), (CHATBOT, (0.8, 0.8, None))):
        found = all_starts[app] = starts(rounds, app)
        pairs = list(zip(found[e.OURS.name], found[e.STOCK.name], strict=True))
        for (what, unit, pick), goal in zip(_COLUMNS, goals, strict=True):
            figures = [(pick(mine), pick(theirs)) for mine, theirs in pairs]
            made.append(row(f"{what}, {app}", unit, e.STOCK.name, figures, goal))
    return made, all_starts


_COLUMNS = (
    ("start to first answer", "ms", lambda one: one.clock * 1000),
    ("start to first answer, CPU", "ms", lambda one: one.cpu * 1000),
    ("resident memory", "MiB", lambda one: one.memory),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    e.prepare()
    for each in rows(parser.parse_args().rounds)[0]:
        print(
            f"{each.what:50} {each.ours:8.1f} {each.peer:8.1f} {each.unit}  {each.ratio:.2f} ({each.low:.2f} to {each.high:.2f})"
        )


if __name__ == "__main__":
    main()
