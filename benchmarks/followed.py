"""What it costs the app that the viewer follows it: the 99th percentile of its answers, with the viewer and without.

    python benchmarks/followed.py [--rounds 15] [--seconds 6]

Fed by `environment`; feeds `run.py`. One app under gunicorn writes its files and counts, with no endpoint, and is loaded at a
steady rate. In turn nobody looks, a viewer follows its traces, log lines and figures, and nobody looks again: the last tells
how much two windows differ by themselves. The app has a core of its own; the viewer shares the other one with the load.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import environment as e
from figures import Row, alternate, row
from outage import SERVERS_CORE, Served
from support.process import free_port, port_open, wait_for

ALONE, FOLLOWED, AGAIN = "nobody looks", "a viewer follows", "nobody looks, again"
MOST_RATIO = 1.1


class Followed(Served):
    """The app, and a viewer that comes and goes."""

    def __init__(self, folder: Path) -> None:
        super().__init__("", folder)
        self._folder = folder
        self.lines = 0
        """The log records that viewers have read."""

    def followed(self, seconds: float) -> float:
        """The 99th percentile of the answers in a window, in milliseconds, while a viewer follows."""
        port = free_port()
        command = [
            str(e.BIN / "python"), "-c", "import sys; from otel_chatbot.cli import main; sys.exit(main())", "ui",
            str(self._folder / "logs"), "--port", str(port), "--data", str(self._folder / "ui.sqlite"),
        ]  # fmt: skip
        env = e.OURS_WITH_LOGS.environment("", self._folder)
        log = self._folder / "viewer.log"
        with log.open("ab") as output:
            viewer = subprocess.Popen(command, env=env, cwd=self._folder, stdout=output, stderr=output)
        try:
            wait_for(lambda: port_open(port), "the viewer to listen", 60)
            wait_for(lambda: _state(port)["logs"] >= self._written(), "the viewer to have read the past", 120)
            before = _state(port)["logs"]
            took = self.window(seconds)
            wait_for(lambda: _state(port)["logs"] >= before + self.windows[-1], "the viewer to have followed", 60)
            self.lines = _state(port)["logs"]
        finally:
            viewer.terminate()
            viewer.wait(30)
        return took

    def _written(self) -> int:
        return sum(self.windows)


def _state(port: int) -> dict[str, int]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/state", timeout=30) as answer:
        found: dict[str, int] = json.load(answer)
        return found


def rows(rounds: int, seconds: float) -> list[Row]:
    """The ratio with a viewer, and the ratio of two windows without one."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {SERVERS_CORE})  # the load and the viewer; the app takes the other core
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)))
            app = Followed(folder)
            stack.callback(app.end)
            sides = {
                ALONE: lambda: app.window(seconds),
                FOLLOWED: lambda: app.followed(seconds),
                AGAIN: lambda: app.window(seconds),
            }
            alternate(sides, 1)  # warm up
            found = alternate(sides, rounds)
            return [
                row(f"the slowest 1 % of answers, {name}", "ms", ALONE, list(zip(found[name], found[ALONE], strict=True)), goal)
                for name, goal in ((FOLLOWED, MOST_RATIO), (AGAIN, None))
            ]
    finally:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, range(os.cpu_count() or 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=6.0)
    chosen = parser.parse_args()
    e.prepare()
    for each in rows(chosen.rounds, chosen.seconds):
        print(
            f"{each.what:60} {each.ours:8.2f} {each.unit}, {each.peer_name} {each.peer:8.2f}  {each.ratio:.2f} ({each.low:.2f} to {each.high:.2f})"
        )


if __name__ == "__main__":
    main()
