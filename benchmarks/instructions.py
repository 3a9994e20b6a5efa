"""How many instructions of the processor a request costs under each side: a figure that no other load can blur.

    python benchmarks/instructions.py [--requests 20] [--only hello line chat model stream log signs]

Needs valgrind and a C compiler (`scripts/system-packages.sh proof` installs both). `apps/under_callgrind.py` runs N requests and
then 2 N under callgrind; what the second N cost more is what they cost, all threads and all exports included, without what
happens once. It repeats to 2 %, where times differ by 25 %. Fed by the sides of `environment.py`; feeds `run.py`.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

import environment as e
from figures import Row, row
from request_cost import servers, sink

SOURCE = e.HERE / "apps" / "callgrind.c"
LIBRARY = e.CACHE / "callgrind.so"
_NEVER = "100000000"
_STILL = {
    "PYTHONHASHSEED": "0",
    "OTEL_METRIC_EXPORT_INTERVAL": _NEVER,
    "OTEL_BSP_SCHEDULE_DELAY": _NEVER,
    "OTEL_BLRP_SCHEDULE_DELAY": _NEVER,
}
"""No export by time: the number of requests per second says nothing about a side."""
WHATS: Mapping[str, tuple[str, e.Side, float, float]] = {
    "hello": ("a request as it comes: three signals over OTLP, access record, files", e.OURS_WITH_LOGS, 0.6, 0.7),
    "line": (
        "a request whose view logs one line, equal work: no files, no access record",
        e.OURS_EQUAL,
        0.35,
        0.4,
    ),
    "chat": ("a chat turn: 4 MongoDB commands, 3 of Redis, 1 model call", e.OURS_WITH_LOGS, 0.5, 0.7),
}
"""By view: its title, our side, and the most that ours should add compared with stock, sampled and unsampled."""


MODEL_CALLS: Mapping[str, tuple[str, float]] = {
    "model": ("a model call", 0.5),
    "stream": ("a streamed model call", 0.5),
}
"""By view: its title, and the most that ours should add to the call compared with upstream's instrumentation of openai."""


def possible() -> bool:
    """Whether this machine can count instructions."""
    return all(map(shutil.which, ("valgrind", "cc")))


def library() -> Path:
    """The library through which a program speaks to callgrind, built if it is older than its source."""
    if not LIBRARY.exists() or LIBRARY.stat().st_mtime < SOURCE.stat().st_mtime:
        e.run("cc", "-O1", "-shared", "-fPIC", "-o", str(LIBRARY), str(SOURCE))
    return LIBRARY


def per_request(side: e.Side, view: str, requests: int, endpoint: str, addresses: Mapping[str, str]) -> float:
    """Instructions that one request costs."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        env = {**side.environment(endpoint, Path(folder), **addresses), **_STILL}
        env |= {"VIEW": view, "N": str(requests), "CALLGRIND": str(library())}
        front = [
            "valgrind", "--tool=callgrind", "--instr-atstart=no", "--trace-children=yes", "-q",
            f"--callgrind-out-file={folder}/counted.%p",
        ]  # fmt: skip
        done = subprocess.run(
            [*front, *side.command(str(e.HERE / "apps" / "under_callgrind.py"))],
            env=env, cwd=folder, check=False, capture_output=True, text=True, timeout=1200,
        )  # fmt: skip
        if not done.stdout.endswith("done\n"):
            raise RuntimeError(f"{side.name}, {view}:\n{done.stdout[-2000:]}{done.stderr[-3000:]}")
        found = dict(_written(Path(folder)))
    return (found["twice"] - found["once"]) / requests


def _written(folder: Path) -> Iterable[tuple[str, int]]:
    """The results of callgrind: name and instructions."""
    for path in folder.glob("counted.*"):
        text = path.read_text(errors="replace")
        name, total = re.search(r"Client Request: (\w+)", text), re.search(r"^totals: (\d+)", text, re.MULTILINE)
        if name is not None and total is not None:
            yield name[1], int(total[1])


def rows(requests: int = 20, views: Iterable[str] = tuple(WHATS)) -> list[Row]:
    """Our additional instructions per request compared with stock's, sampled and unsampled."""
    found = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        addresses = stack.enter_context(servers(folder))
        endpoint = stack.enter_context(sink())
        for view in views:
            what, ours, goal, goal_unsampled = WHATS[view]
            bare = per_request(e.BARE, view, requests, endpoint, addresses)
            for how, most in ((lambda side: side, goal), (e.unsampled, goal_unsampled)):
                added = [
                    (per_request(how(side), view, requests, endpoint, addresses) - bare) / 1000 for side in (ours, e.STOCK)
                ]
                name = what if how is not e.unsampled else f"{what}, unsampled"
                found.append(row(name, "thousand instructions added", e.STOCK.name, [(added[0], added[1])], most))
                print(f"{name:90} {added[0]:9.0f} {added[1]:9.0f} k  {added[0] / added[1]:.2f}", file=sys.stderr, flush=True)
    return found


def model_calls(requests: int = 20, views: Iterable[str] = tuple(MODEL_CALLS)) -> list[Row]:
    """Our additional instructions per model call compared with upstream's for openai; the cost of the request is subtracted."""
    found = []
    sides = (e.BARE, e.OURS, e.STOCK_WITH_MODELS)
    with ExitStack() as stack:
        addresses = stack.enter_context(servers(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        endpoint = stack.enter_context(sink())
        for how, name in ((lambda side: side, ""), (e.unsampled, ", unsampled")):
            requested = [per_request(how(side), "hello", requests, endpoint, addresses) for side in sides]
            for view in views:
                what, most = MODEL_CALLS[view]
                asked = [per_request(how(side), view, requests, endpoint, addresses) for side in sides]
                bare, ours, peer = (call - request for call, request in zip(asked, requested, strict=True))
                added = ((ours - bare) / 1000, (peer - bare) / 1000)
                found.append(row(what + name, "thousand instructions added", e.STOCK_WITH_MODELS.name, [added], most))
                print(
                    f"{what + name:90} {added[0]:9.0f} {added[1]:9.0f} k  {added[0] / added[1]:.2f}",
                    file=sys.stderr,
                    flush=True,
                )
    return found


def log_records(requests: int = 20) -> list[Row]:
    """What one log record costs, made and sent over OTLP: a request whose view logs a line, less one whose view does not."""
    with ExitStack() as stack:
        addresses = stack.enter_context(servers(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        endpoint = stack.enter_context(sink())
        ours, stock = (
            (
                per_request(side, "line", requests, endpoint, addresses)
                - per_request(side, "hello", requests, endpoint, addresses)
            )
            / 1000
            for side in (e.OURS_EQUAL, e.STOCK)
        )
    print(f"{'a log record over OTLP':90} {ours:9.0f} {stock:9.0f} k  {ours / stock:.2f}", file=sys.stderr, flush=True)
    return [row("a log record over OTLP", "thousand instructions", e.STOCK.name, [(ours, stock)], 0.4)]


SIGNS_AT_ONCE = 20
"""How many turns one request of the view `signs` stands for; as in `apps/driven.py`."""


def quality(requests: int = 20) -> list[Row]:
    """What looking for signs of bad answers takes of all that we add to a chat turn: at most a twentieth."""
    found = []
    with ExitStack() as stack:
        addresses = stack.enter_context(servers(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        endpoint = stack.enter_context(sink())
        looks, hello = (per_request(e.OURS_WITH_LOGS, view, requests, endpoint, addresses) for view in ("signs", "hello"))
        cost = (looks - hello) / SIGNS_AT_ONCE / 1000
        print(f"signs of bad answers: {cost:.0f} thousand instructions per turn", file=sys.stderr, flush=True)
        bare = per_request(e.BARE, "chat", requests, endpoint, addresses)
        for how, name in ((lambda side: side, ""), (e.unsampled, ", unsampled")):
            turn = (per_request(how(e.OURS_WITH_LOGS), "chat", requests, endpoint, addresses) - bare) / 1000
            what = f"looking for signs of bad answers{name}"
            found.append(row(what, "thousand instructions added", "a chat turn's telemetry", [(cost, turn)], 0.05))
            print(f"{what:90} {cost:9.0f} {turn:9.0f} k  {cost / turn:.3f}", file=sys.stderr, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20)
    parser.add_argument(
        "--only", nargs="+", choices=(*WHATS, *MODEL_CALLS, "log", "signs"), default=(*WHATS, *MODEL_CALLS, "log", "signs")
    )
    chosen = parser.parse_args()
    e.prepare()
    rows(chosen.requests, [view for view in chosen.only if view in WHATS])
    model_calls(chosen.requests, [view for view in chosen.only if view in MODEL_CALLS])
    if "log" in chosen.only:
        log_records(chosen.requests)
    if "signs" in chosen.only:
        quality(chosen.requests)


if __name__ == "__main__":
    main()
