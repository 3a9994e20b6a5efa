"""What budgets add to a chat turn, beside what the package adds to it without any: instructions of the processor.

    python benchmarks/budgets.py [--requests 20]

The turn is that of `instructions.py`; two budgets are set, one of the app and one of each user. The check is what the view asks before
a model is asked; spending is what is written down when the model has answered. Needs valgrind. Feeds `run.py`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import environment as e
from figures import Row, row
from instructions import per_request
from request_cost import servers, sink

BUDGETS = {"CHATBOT_OTEL_BUDGETS": "app day 1000 USD; user day 100000000 tokens"}
CHECKS = {"CHECKS": "true"}
GOAL = 0.05


def rows(requests: int = 20) -> list[Row]:
    """What is added, by where the ledger is: a file, or Redis."""
    found = []
    with ExitStack() as stack:
        addresses = stack.enter_context(servers(Path(stack.enter_context(TemporaryDirectory()))))
        endpoint = stack.enter_context(sink())
        bare = per_request(e.BARE, "chat", requests, endpoint, addresses)
        for ledger, env in (("a file", {"APPS_REDIS": addresses["REDIS_URL"], "REDIS_URL": ""}), ("Redis", {})):
            added = [
                per_request(_with(more), "chat", requests, endpoint, {**addresses, **env}) - bare
                for more in ({}, BUDGETS, BUDGETS | CHECKS)
            ]
            found += _rows(ledger, [one / 1000 for one in added])
    return found


def _with(more: Mapping[str, str]) -> e.Side:
    return replace(e.OURS_WITH_LOGS, env={**e.OURS_WITH_LOGS.env, **more})


def _rows(ledger: str, added: list[float]) -> list[Row]:
    without, spending, checked = added
    found = [
        row(what, "thousand instructions added", "a chat turn's telemetry", [(more, without)], goal)
        for what, more, goal in (
            (f"a budget check, the ledger in {ledger}", checked - spending, GOAL),
            (f"writing down what a call has cost, the ledger in {ledger}", spending - without, None),
        )
    ]
    for one in found:
        print(f"{one.what:90} {one.ours:9.0f} {one.peer:9.0f} k  {one.ratio:.3f}", file=sys.stderr, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20)
    chosen = parser.parse_args()
    e.prepare()
    rows(chosen.requests)


if __name__ == "__main__":
    main()
