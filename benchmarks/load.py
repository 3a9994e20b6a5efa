"""Requests a second of the example's POST /chat, observed and bare, with the servers on one core and the app on the other.

    python benchmarks/load.py [--rounds 7] [--seconds 6]

Fed by `environment`; feeds `run.py`. gunicorn with one worker and eight threads, eight kept connections, a new message each
time so that no answer comes from the cache, a model that waits 50 ms. Both apps run all the time; they are loaded in turn.
"""

from __future__ import annotations

import argparse
import functools
import http.client
import itertools
import json
import os
import subprocess
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import environment as e
from figures import Row, alternate, row
from request_cost import servers, sink

CONNECTIONS, DELAY = 8, 0.05
SERVERS_CORE, APP_CORE = 0, 1
_numbers = itertools.count()


class Served:
    """The example under gunicorn, on its own core."""

    def __init__(self, side: e.Side, env: dict[str, str], folder: Path) -> None:
        from support.process import free_port, port_open, wait_for

        self.port = free_port()
        self.log = folder / "gunicorn.log"
        gunicorn = str(e.BIN / "gunicorn")
        front = [str(e.BIN / "opentelemetry-instrument")] if side.instrument else []
        command = [
            "taskset", "-c", str(APP_CORE), *front, gunicorn, "--chdir", str(e.ROOT / "examples" / "chatbot"),
            "--bind", f"127.0.0.1:{self.port}", "--workers", "1", "--threads", str(CONNECTIONS), "--keep-alive", "60", "app:app",
        ]  # fmt: skip
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, env=env, cwd=folder, stdout=log, stderr=log)
        wait_for(lambda: port_open(self.port), f"{side.name} to listen", timeout=120)

    def load(self, seconds: float) -> float:
        """Requests per second."""
        end = time.perf_counter() + seconds
        counts = [0] * CONNECTIONS
        failures: list[str] = []

        def ask(place: int) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            headers = {"Content-Type": "application/json"}
            while time.perf_counter() < end and not failures:
                body = json.dumps({"message": f"Question {next(_numbers)}", "user_id": f"u{place}"})
                connection.request("POST", "/chat", body, headers)
                answer = connection.getresponse()
                text = answer.read()
                if answer.status != 200 or b'"cached":true' in text:
                    failures.append(f"{answer.status} {text[:200]!r}")
                counts[place] += 1
            connection.close()

        begin = time.perf_counter()
        threads = [threading.Thread(target=ask, args=(place,)) for place in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise RuntimeError(f"{failures[0]}\n{self.log.read_text()[-3000:]}")
        return sum(counts) / (time.perf_counter() - begin)

    def end(self) -> None:
        e.end(self.process)


def rates(rounds: int, seconds: float) -> dict[str, list[float]]:
    """Requests per second of every side, one figure per round."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {SERVERS_CORE})  # this load generator and the servers that it starts
    try:
        with ExitStack() as stack:
            endpoint = stack.enter_context(sink())
            addresses = stack.enter_context(servers(Path(stack.enter_context(tempfile.TemporaryDirectory())), DELAY))

            def one(number: int, side: e.Side) -> float:
                with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                    database = {"MONGODB_URI": f"{addresses['MONGODB_URI']}bench_{number}"}
                    app = Served(side, side.environment(endpoint, Path(folder), **{**addresses, **database}), Path(folder))
                    try:
                        app.load(1.0)
                        return app.load(seconds)
                    finally:
                        app.end()

            # Two processes of one side may differ more than two sides, so each round has new processes.
            sides = enumerate((e.BARE, e.OURS, e.STOCK))
            return alternate({side.name: functools.partial(one, number, side) for number, side in sides}, rounds)
    finally:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, range(os.cpu_count() or 1))


def rows(found: dict[str, list[float]]) -> list[Row]:
    bare, ours, stock = (found[side.name] for side in (e.BARE, e.OURS, e.STOCK))
    what = f"POST /chat of the example, uncached, {CONNECTIONS} connections, model delay {DELAY * 1000:.0f} ms"
    return [
        row(what, "requests/s", "bare", list(zip(ours, bare, strict=True)), 0.92, at_least=True),
        row("the same", "requests/s", e.STOCK.name, list(zip(ours, stock, strict=True))),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=6.0)
    chosen = parser.parse_args()
    e.prepare()
    for each in rows(rates(chosen.rounds, chosen.seconds)):
        print(
            f"{each.ours:8.1f} {each.peer_name} {each.peer:8.1f} {each.unit}  {each.ratio:.2f} ({each.low:.2f} to {each.high:.2f})"
        )


if __name__ == "__main__":
    main()
