"""Clocks that measure: they go on while the wall clock is set, and while an application's tests freeze or move it.

Fed by the operating system; feeds every duration and every deadline of the package. freezegun replaces `time.monotonic` and
`time.perf_counter` in every module that has a name for them. Durations would then be negative or years long, and a loop
with a deadline would never end. freezegun does not replace functions that wrap them.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from types import BuiltinFunctionType
from typing import Final

NANO: Final = 1_000_000_000
"""Nanoseconds of a second."""


def _real(name: str) -> Callable[[], float]:
    """A function of `time`; if a test replaced it before our import, the system's clock."""
    found: Callable[[], float] = getattr(time, name)
    if isinstance(found, BuiltinFunctionType) or not hasattr(time, "clock_gettime"):
        return functools.partial(found)
    return functools.partial(time.clock_gettime, time.CLOCK_MONOTONIC)


monotonic: Final = _real("monotonic")
"""Seconds since some moment: for deadlines, and for times that processes of one machine compare."""
perf_counter: Final = _real("perf_counter")
"""Seconds since some moment, as precise as the system can tell: for durations."""


def after(start_ns: int, seconds: float) -> int:
    """The end time of something that began at `start_ns` (unix nanoseconds) and took `seconds`; never before its start."""
    return start_ns + max(0, int(seconds * NANO))
