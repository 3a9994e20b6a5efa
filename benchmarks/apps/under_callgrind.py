"""Runs requests of one view under callgrind: N of them, then 2 N. Both counts include the exports and are written to files.

Run by `instructions.py` under each side. VIEW names the view: `hello`, `line` (it logs one line), `chat`, `signs` (it looks
for signs of bad answers), `model` (it asks a model), `check` (it asks for budgets), `tell` (it tells of model calls) or `stream` (it
reads a model's stream). N is the number, CALLGRIND the path of the library made of `callgrind.c`.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import time
from typing import Any

from counted import BODY
from driven import app, ask, budget_checks, chat_view, check, hello, model_call, one_line, signs, told_calls

WARM = 12
QUIET_SECONDS = 2.0
"""The time that the threads which send telemetry get, under callgrind, until all is sent."""

BY_THE_CLOCK = (
    ("otel_chatbot.metrics.series", "EXEMPLAR_SECONDS"),
    ("otel_chatbot.instrumentation.redis.pool", "_LOOK_SECONDS"),
    ("otel_chatbot.instrumentation.active.redis_sets", "_PAUSE"),
    ("otel_chatbot.distro.delivery.sender", "_POLL_SECONDS"),
    ("otel_chatbot.distro.delivery.sender", "_IDLE_POLL_SECONDS"),
)
"""The periods of work that is done by time; `main` makes them endless. A request takes a second here, so this work would run
far more often per request than in a normal process, and the machine's load would change the count. A process's own writes
still wake its sender at once."""


def arguments(view: str) -> tuple[Any, ...]:
    if view == "chat":
        app.post("/chat")(chat_view())
        return "/chat", "POST", BODY
    if view in ("check", "tell", "signs"):
        app.get(f"/{view}")({"check": budget_checks, "tell": told_calls, "signs": signs}[view]())
        return (f"/{view}",)
    views = {"line": one_line, "hello": hello}
    app.get(f"/{view}")(views[view] if view in views else model_call(stream=view == "stream"))
    return (f"/{view}",)


def flush() -> None:
    """Export everything that waits. It sleeps one time: repeated checks would be counted too."""
    for module, provider in (("opentelemetry.trace", "get_tracer_provider"), ("opentelemetry._logs", "get_logger_provider")):
        if module in sys.modules:
            getattr(getattr(sys.modules[module], provider)(), "force_flush", lambda: None)()
    time.sleep(QUIET_SECONDS)


def main() -> None:
    callgrind = ctypes.CDLL(os.environ["CALLGRIND"])
    check()
    asked = arguments(os.environ["VIEW"])
    for module, name in BY_THE_CLOCK:
        if module in sys.modules:
            setattr(sys.modules[module], name, 1e6)
    for _ in range(WARM):
        ask(*asked)
    flush()
    # A garbage collection may fall into only one of the two counts: collected now, it is a small one.
    gc.collect()
    gc.freeze()
    several = int(os.environ["N"])
    for name, requests in ((b"once", several), (b"twice", 2 * several)):
        callgrind.begin()
        for _ in range(requests):
            ask(*asked)
        flush()
        callgrind.write_as(name)
        callgrind.stop()
    print("done", flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
