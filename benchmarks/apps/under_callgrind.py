"""Runs requests of one view under callgrind: N of them, then 2 N, each with all that is exported of them, each written down.

Run by `instructions.py` under each side. VIEW says which view is asked: `hello`, `line` (it logs one line), `chat`, `talk` (a chat
with other questions each time), `model` (it
asks a model) or `stream` (it reads a model's stream); N how many; CALLGRIND where the library made of `callgrind.c` stands.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import time
from typing import Any

from counted import BODY
from driven import app, ask, chat_view, check, hello, model_call, one_line

WARM = 12
QUIET_SECONDS = 2.0
"""What the threads that send telemetry may take, under callgrind, until all is sent."""

BY_THE_CLOCK = (
    ("otel_chatbot.metrics.series", "EXEMPLAR_SECONDS"),
    ("otel_chatbot.instrumentation.redis.pool", "_LOOK_SECONDS"),
    ("otel_chatbot.distro.delivery.sender", "_POLL_SECONDS"),
    ("otel_chatbot.distro.delivery.sender", "_IDLE_POLL_SECONDS"),
)
"""What is done each so many seconds. A request takes a second here: among requests it is to be as rare as in a process that is
not slowed, and how busy the machine is must not be counted. What a process writes wakes its own sender at once."""


def arguments(view: str) -> tuple[Any, ...]:
    if view in ("chat", "talk"):
        app.post("/chat")(chat_view(talks=view == "talk"))
        return "/chat", "POST", BODY
    views = {"line": one_line, "hello": hello}
    app.get(f"/{view}")(views[view] if view in views else model_call(stream=view == "stream"))
    return (f"/{view}",)


def flush() -> None:
    """Have everything exported that waits. One sleep: whoever looks again and again would be counted."""
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
    # A collection that falls into one count and not into the other would be told of the wrong requests: let them be small ones.
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
