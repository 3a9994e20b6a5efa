"""How many calls the package makes: what guards its hot paths in tests, where a clock would measure the machine."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import otel_chatbot

_LOCKING = ("acquire", "release")
PACKAGE = str(Path(otel_chatbot.__file__).parent)


def calls(work: Callable[[], object]) -> int:
    """Calls of the package's functions, and of built-in ones from within them, that `work` makes on this thread.

    How a lock is taken is not counted: as calls of `acquire` and `release` it costs less than by `with`, which makes none.

    `work` is run a few times before, so that nothing is counted that happens once. The least of three counts is taken, so
    that nothing is counted that happens once a second either, such as the text of a new second.
    """
    for _ in range(3):
        work()
    return min(_counted(work) for _ in range(3))


def _counted(work: Callable[[], object]) -> int:
    ours: dict[Any, bool] = {}
    counted = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal counted
        if event == "call" or (event == "c_call" and getattr(argument, "__name__", "") not in _LOCKING):
            code = frame.f_code
            if code not in ours:
                ours[code] = code.co_filename.startswith(PACKAGE)
            counted += ours[code]

    gc.disable()  # a finalizer of somebody else's test would count too
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return counted
