"""Measure everything and write docs/performance.md and docs/who-sees-what.md: `make bench`, or

    python benchmarks/run.py [--rounds 15] [--requests 20] [--quick] [--output docs/performance.md]

Runs every benchmark of this folder, one after the other, in the environment that `environment.prepare` makes. Takes about
an hour, and wants a quiet machine. With fewer rounds the spread grows; with fewer requests under callgrind, what happens now and
then weighs more. --quick takes a tenth of both, to see that all runs, and leaves who-sees-what.md alone.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import budgets
import calls
import environment as e
import followed
import growth
import idle
import instructions
import load
import other_requests
import outage
import request_cost as requests
import startup
import who_sees_what
from figures import Row
from report import Results, write


def measured(rounds: int, instructed: int, *, quick: bool = False) -> Results:
    """Every figure; instructions from so many requests."""
    sizes = "2000" if quick else "10000,100000"
    say("requests")
    hello = requests.measure(requests.HELLO, 2 * rounds, 400)
    say("requests, unsampled")
    unsampled = requests.measure(requests.UNSAMPLED, 2 * rounds, 400)
    say("requests that log one line")
    line = requests.measure(requests.EQUAL, 2 * rounds, 400, {"VIEW": "line"})
    line_unsampled = requests.measure(tuple(map(e.unsampled, requests.EQUAL)), 2 * rounds, 400, {"VIEW": "line"})
    say("chat turns")
    with tempfile.TemporaryDirectory() as folder, requests.servers(Path(folder)) as addresses:
        chat = requests.measure(requests.CHAT, 2 * rounds, 100, {**addresses, "VIEW": "chat"})
        chat_unsampled = requests.measure(requests.UNSAMPLED, 2 * rounds, 100, {**addresses, "VIEW": "chat"})
    say("single calls")
    small = from_lines(growth.small_process("small.py", "--rounds", str(2 * rounds)))
    say("scrapes")
    reading = from_lines(growth.small_process("reading.py", "--rounds", str(rounds)))
    reading += from_lines(growth.small_process("reading.py", "--rounds", str(rounds), "--workers", "8"))
    say("recognising")
    recognising = from_lines(growth.small_process("recognising.py", "--rounds", str(rounds)))
    say("the viewer")
    viewer = [json.loads(line) for line in growth.small_process("viewer.py", "--sizes", sizes)]
    say("calls of functions")
    counted = calls.added()
    counted_rows: list[Row] = []
    if instructions.possible():
        say("instructions")
        counted_rows = instructions.rows(instructed)
        say("instructions of a model call")
        counted_rows += instructions.model_calls(instructed)
        say("instructions of a log record")
        counted_rows += instructions.log_records(instructed)
        say("instructions of signs of bad answers")
        counted_rows += instructions.quality(instructed)
        say("instructions of requests that ask no model")
        counted_rows += other_requests.rows(5 * instructed)
        say("instructions of budgets")
        counted_rows += budgets.rows(instructed)
    say("starts")
    started, starts = startup.rows(rounds)
    say("an idle app")
    resting = idle.rows(max(2, rounds // 3), 10.0 if quick else 60.0)
    say("load")
    rates = load.rates(rounds, 4.0)
    say("an outage of the endpoint")
    away = outage.rows(max(3, rounds // 3), 6.0)
    say("an app that a viewer follows")
    looked_at = followed.rows(max(3, rounds // 3), 6.0)
    say("growth")
    curves = growth.curves(rounds)
    rows = [
        requests.added("a request, everything on", hello, 1.0),
        requests.added("a request, traces unsampled", unsampled, 1.0),
        requests.added("a chat turn: 4 MongoDB commands, 3 of Redis, 1 AI call", chat, 1.0),
        requests.added("a chat turn, traces unsampled", chat_unsampled, 1.0),
        as_it_comes("a request as it comes: three signals over OTLP, access record, files", hello, 0.6),
        as_it_comes("the same, traces unsampled", unsampled, 0.7),
        requests.added("a request whose view logs one line, equal work", line, 0.35, ours=e.OURS_EQUAL.name),
        requests.added("the same, traces unsampled", line_unsampled, 0.4, ours=e.OURS_EQUAL.name),
        *counted_rows,
        *small,
        *reading,
        *recognising,
        *started,
        *resting,
        *load.rows(rates),
        *away,
        *looked_at,
    ]
    tables = {
        "A request": hello,
        "A request, unsampled": unsampled,
        "A request whose view logs one line": line,
        "A request whose view logs one line, unsampled": line_unsampled,
        "A chat turn": chat,
        "A chat turn, unsampled": chat_unsampled,
    }
    return Results(rounds, instructed, rows, tables, starts, rates, counted, curves, viewer)


def as_it_comes(what: str, found: Mapping[str, list[float]], goal: float) -> Row:
    return requests.added(what, found, goal, ours=e.OURS_WITH_LOGS.name)


def from_lines(lines: Iterable[str]) -> list[Row]:
    return [Row(**json.loads(line)) for line in lines]


def say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--requests", type=int, default=20)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--output", type=Path, default=e.ROOT / "docs" / "performance.md")
    chosen = parser.parse_args()
    say("the peers' environment")
    e.prepare()
    rounds, counted = (2, 4) if chosen.quick else (chosen.rounds, chosen.requests)
    results = measured(rounds, counted, quick=chosen.quick)
    chosen.output.write_text(write(results))
    print(f"written to {chosen.output}")
    for row in results.rows:
        reached = {None: "", True: "reached", False: "NOT reached"}[row.reached]
        print(f"{row.what:70} {row.ours:10.2f} {row.peer:10.2f}  {row.ratio:.2f} ({row.low:.2f} to {row.high:.2f}) {reached}")
    say("who sees which model calls")
    who_sees_what.write(quick=chosen.quick)


if __name__ == "__main__":
    main()
