"""What an outage of the endpoint costs the app: the 99th percentile of its answers, and its memory.

    python benchmarks/outage.py [--rounds 15] [--seconds 6]

Fed by `environment`; feeds `run.py`. The same app runs three times under gunicorn, all signals on: one whose endpoint takes
everything, one whose endpoint refuses connections from the beginning to the end, one whose endpoint accepts them and is
silent. They are loaded in turn, with a steady rate; a ratio is that of two neighbouring windows. Memory is that of all
processes of the app, from the end of the first round to the end of the last.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import environment as e
from figures import Row, alternate, row
from request_cost import sink
from support.outage import Load, percentile
from support.process import free_port, port_open, wait_for
from support.weather import BlackHole

THERE, REFUSES, SILENT = "endpoint there", "endpoint refuses", "endpoint silent"
CLIENTS, PAUSE = 4, 0.02
SERVERS_CORE, APP_CORE = 0, 1
MOST_RATIO, MOST_GROWTH = 1.1, 20.0
OFTEN = {"OTEL_METRIC_EXPORT_INTERVAL": "5000"}
_numbers = itertools.count(0, 1_000_000)


class Served:
    """The app under gunicorn with its own endpoint, on a core that it only shares with the other two apps."""

    def __init__(self, endpoint: str, folder: Path) -> None:
        self.port = free_port()
        self.windows: list[int] = []
        """The number of answered requests per window."""
        self.spool = folder / "logs" / "spool"
        self._memory: list[float] = []
        pinned = ["taskset", "-c", str(APP_CORE)] if hasattr(os, "sched_setaffinity") else []
        command = [
            *pinned, str(e.BIN / "opentelemetry-instrument"), str(e.BIN / "gunicorn"), "--chdir", str(e.HERE / "apps"),
            "--bind", f"127.0.0.1:{self.port}", "--workers", "1", "--threads", str(CLIENTS), "--keep-alive", "60", "served:app",
        ]  # fmt: skip
        env = e.OURS_WITH_LOGS.environment(endpoint, folder, **OFTEN)
        self.log = folder / "gunicorn.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, env=env, cwd=folder, stdout=log, stderr=log)
        wait_for(lambda: port_open(self.port), "the app to listen", 60)

    def window(self, seconds: float) -> float:
        """The 99th percentile of the answers in a window, in milliseconds."""
        with Load(self.port, first=next(_numbers), clients=CLIENTS, pause=PAUSE) as load:
            time.sleep(seconds)
        if load.failed:
            raise RuntimeError(f"{load.failed} requests failed\n{self.log.read_text()[-3000:]}")
        self._memory.append(self._resident())
        self.windows.append(len(load.answered))
        return percentile([took for _, took in load.answered.values()], 0.99) * 1000

    @property
    def growth(self) -> float:
        """MiB of memory since the first window."""
        return self._memory[-1] - self._memory[0]

    def _resident(self) -> float:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in (self.process.pid, *children))
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def end(self) -> None:
        e.end(self.process)


def rows(rounds: int, seconds: float) -> list[Row]:
    """The two ratios of answers, and the two growths of memory compared with the allowed growth."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {SERVERS_CORE})  # the load and the endpoints
    try:
        with ExitStack() as stack:
            hole = stack.enter_context(BlackHole())
            endpoints = {
                THERE: stack.enter_context(sink()),
                REFUSES: f"http://127.0.0.1:{free_port()}",
                SILENT: f"http://127.0.0.1:{hole.port}",
            }
            apps = {}
            for name, endpoint in endpoints.items():
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)))
                apps[name] = Served(endpoint, folder)
                stack.callback(apps[name].end)
            alternate({name: lambda app=app: app.window(min(seconds, 3.0)) for name, app in apps.items()}, 1)  # warm up
            found = alternate({name: lambda app=app: app.window(seconds) for name, app in apps.items()}, rounds)
            for name in (REFUSES, SILENT):
                if not list(apps[name].spool.glob("*.otlp")):
                    raise RuntimeError(f"{name}: nothing is on disk, so there was no outage")
            return [
                *(
                    row(f"the slowest 1 % of answers, {name}", "ms", THERE, list(zip(found[name], found[THERE], strict=True)), MOST_RATIO)
                    for name in (REFUSES, SILENT)
                ),
                *(
                    row(
                        f"memory that the app grows by in {rounds} windows, {name}",
                        "MiB",
                        "allowed",
                        [(apps[name].growth, MOST_GROWTH)],
                        1.0,
                    )
                    for name in (REFUSES, SILENT)
                ),
                row(
                    f"the same, {THERE}", "MiB", "allowed", [(apps[THERE].growth, MOST_GROWTH)]
                ),
            ]  # fmt: skip
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
        reached = {None: "", True: "reached", False: "NOT reached"}[each.reached]
        print(
            f"{each.what:60} {each.ours:8.2f} {each.unit}, {each.peer_name} {each.peer:8.2f}  "
            f"{each.ratio:.2f} ({each.low:.2f} to {each.high:.2f}) {reached}"
        )


if __name__ == "__main__":
    main()
