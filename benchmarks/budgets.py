"""What budgets cost, beside what the package adds to a chat turn: instructions of the processor.

    python benchmarks/budgets.py [--requests 10]

The turn is that of `instructions.py`; two budgets are set, one of the app and one of each user. A check is what a view asks before a
model is asked; spending is what is written down when the model has answered. Both are small beside a turn, so a request of their
own asks for many of them. Needs valgrind. Feeds `run.py`.
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
TIMES = 20
"""As in `apps/driven.py`."""
GOAL = 0.05


def rows(requests: int = 10) -> list[Row]:
    """What a check and a call's spending cost, by where the ledger is: a file, or Redis."""
    found = []
    with ExitStack() as stack:
        addresses = stack.enter_context(servers(Path(stack.enter_context(TemporaryDirectory()))))
        endpoint = stack.enter_context(sink())

        def cost(side: e.Side, view: str, **env: str) -> float:
            return per_request(side, view, requests, endpoint, addresses | env) / 1000

        turn = cost(e.OURS_WITH_LOGS, "chat") - cost(e.BARE, "chat")
        for ledger, env in (("a file", {"REDIS_URL": ""}), ("Redis", {})):
            check = cost(_with(BUDGETS), "check", **env) - cost(_with(BUDGETS), "hello", **env)
            spending = cost(_with(BUDGETS), "tell", **env) - cost(_with({}), "tell", **env)
            found += [
                _row(f"a budget check, the ledger in {ledger}", check / TIMES, turn, GOAL),
                _row(f"writing down what a call has cost, the ledger in {ledger}", spending / TIMES, turn, None),
            ]
    return found


def _with(more: Mapping[str, str]) -> e.Side:
    return replace(e.OURS_WITH_LOGS, env={**e.OURS_WITH_LOGS.env, **more})


def _row(what: str, cost: float, turn: float, goal: float | None) -> Row:
    print(f"{what:70} {cost:7.0f} of {turn:7.0f} k  {cost / turn:.3f}", file=sys.stderr, flush=True)
    return row(what, "thousand instructions added", "a chat turn's telemetry", [(cost, turn)], goal)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10)
    chosen = parser.parse_args()
    e.prepare()
    rows(chosen.requests)


if __name__ == "__main__":
    main()
