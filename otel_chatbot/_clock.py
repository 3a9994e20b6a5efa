"""Clocks that measure: they go on while the wall clock is set, and while an application's tests freeze or move it.

Fed by the operating system; feeds every duration and every deadline of the package. freezegun puts its own functions in the
place of `time.monotonic` and `time.perf_counter`, in every module that has them under a name: durations would be negative or
years long, and a loop with a deadline would never end. What wraps them it leaves alone.
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
    """A function of `time`; where a test has put its own in its place before we came, the system's clock."""
    found: Callable[[], float] = getattr(time, name)
    if isinstance(found, BuiltinFunctionType) or not hasattr(time, "clock_gettime"):
        return functools.partial(found)
    return functools.partial(time.clock_gettime, time.CLOCK_MONOTONIC)


monotonic: Final = _real("monotonic")
"""Seconds since some moment: for deadlines, and for what processes of one machine compare."""
perf_counter: Final = _real("perf_counter")
"""Seconds since some moment, as fine as the system has them: for durations."""


def after(start_ns: int, seconds: float) -> int:
    """The end of what began at `start_ns` (unix nanoseconds) and took `seconds`: never before its start."""
    return start_ns + max(0, int(seconds * NANO))
