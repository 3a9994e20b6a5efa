"""What an app costs while nobody asks it anything: the CPU time that telemetry takes by itself.

    python benchmarks/idle.py [--rounds 5] [--seconds 60]

Fed by `environment`; feeds `run.py`. The same app runs under each side at the same time, with every exporter's default interval, and
has answered some requests; the first window begins a window later. A round is a window of time: in 60 s each side exports its metrics once.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import environment as e
from figures import Row, row
from request_cost import sink
from support.process import free_port, port_open, wait_for

SIDES = (e.BARE, e.OURS_WITH_LOGS, e.STOCK)
REQUESTS = 20
PROGRAM = "import sys; sys.path.insert(0, {apps!r}); from served import app; app.run(host='127.0.0.1', port={port})"
_CPU_OF_PROCESS = 2
"""Linux's clocks of processes are (~pid << 3) | 2: the time that all threads of the process have run (clock_getcpuclockid(3))."""


class Idle:
    """The app under one side; it has answered some requests and gets no more."""

    def __init__(self, side: e.Side, endpoint: str, folder: Path) -> None:
        port = free_port()
        command = side.command("-c", PROGRAM.format(apps=str(e.HERE / "apps"), port=port))
        with (folder / "output.log").open("wb") as log:
            self.process = subprocess.Popen(command, env=side.environment(endpoint, folder), cwd=folder, stdout=log, stderr=log)
        wait_for(lambda: port_open(port), f"{side.name} to listen", 60)
        for number in range(REQUESTS):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/r/{number}", timeout=30).close()

    def cpu(self) -> float:
        """Milliseconds of CPU that the process has used since it began."""
        return time.clock_gettime((~self.process.pid << 3) | _CPU_OF_PROCESS) * 1000

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(30)


def windows(rounds: int, seconds: float) -> dict[str, list[float]]:
    """Milliseconds of CPU in each window, for each side."""
    found: dict[str, list[float]] = {side.name: [] for side in SIDES}
    with ExitStack() as stack:
        endpoint = stack.enter_context(sink())
        apps = {}
        for side in SIDES:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)))
            apps[side.name] = Idle(side, endpoint, folder)
            stack.callback(apps[side.name].end)
        time.sleep(seconds)  # what the requests left behind is exported
        for _ in range(rounds):
            before = {name: app.cpu() for name, app in apps.items()}
            time.sleep(seconds)
            for name, app in apps.items():
                found[name].append(app.cpu() - before[name])
    return found


def rows(rounds: int, seconds: float = 60.0) -> list[Row]:
    """The cost that ours adds to the bare app, compared with stock's."""
    found = windows(rounds, seconds)
    bare = found[e.BARE.name]
    added = [
        (ours - nothing, stock - nothing)
        for ours, stock, nothing in zip(found[e.OURS_WITH_LOGS.name], found[e.STOCK.name], bare, strict=True)
    ]
    return [row(f"CPU of an idle app, added in {seconds:g} s", "ms", e.STOCK.name, added, 1.0)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=60.0)
    chosen = parser.parse_args()
    if not os.path.exists("/proc/self"):
        parser.error("reads the CPU time of other processes as Linux tells it")
    e.prepare()
    for each in rows(chosen.rounds, chosen.seconds):
        print(
            f"{each.what:45} {each.ours:8.2f} {each.peer:8.2f} {each.unit}  {each.ratio:.2f} ({each.low:.2f} to {each.high:.2f})"
        )


if __name__ == "__main__":
    main()
