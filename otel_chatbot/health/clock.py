"""Wall time as the health answers write it, and for how long this process has been running.

Fed by the operating system; feeds the checker and the runner.
"""

from __future__ import annotations

import datetime as dt
import os
import time
from pathlib import Path

from .._clock import monotonic

_imported = monotonic()


def utc(seconds: float | None = None) -> str:
    """A unix time, now by default, as UTC ISO 8601 with milliseconds and Z."""
    moment = dt.datetime.fromtimestamp(time.time() if seconds is None else seconds, dt.timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def uptime() -> float:
    """Seconds for which this process has been running; since the import of this module where /proc does not tell."""
    started = _started_after_boot()
    if started is not None:
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started)
    return monotonic() - _imported


def _started_after_boot() -> float | None:
    """When this process started, in seconds after the boot (proc(5), field 22 of /proc/self/stat); None elsewhere."""
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return None
    try:
        # The second field is the program's name in parentheses and may itself contain spaces and parentheses.
        fields = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None
