"""The `system` block of `/health/detailed`: this process and its machine, from the standard library.

Fed by the operating system and by `instrumentation.empty`; feeds the checker. What a platform does not tell is None.
"""

from __future__ import annotations

import os
import platform
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from .. import _wiring
from .._clock import monotonic
from .._guard import never_raise

KEPT = 5.0
"""Seconds for which the block is reused."""

_KIB = 1024


class _Cached:
    at = float("-inf")
    pid = 0
    block: dict[str, Any] = {}  # noqa: RUF012 - replaced whole; what changes in it is `empty_figures`


def system() -> dict[str, Any]:
    """Python, platform, pid, hostname, memory and threads of this process, at most 5 s old; which figures of the app are empty."""
    now = monotonic()
    if now - _Cached.at >= KEPT or _Cached.pid != os.getpid():
        _Cached.block, _Cached.at, _Cached.pid = {**_read(), "empty_figures": []}, now, os.getpid()
    _Cached.block["empty_figures"] = _empty_figures() or []
    return _Cached.block


@never_raise
def _empty_figures() -> list[dict[str, str]] | None:
    return _wiring.EMPTY_FIGURES()


def _read() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "pid": os.getpid(),
        "hostname": socket.gethostname(),
        "cpus": os.cpu_count(),
        "threads": threading.active_count(),
        "memory": {
            "rss_bytes": _proc_kib("/proc/self/status", "VmRSS"),
            "peak_rss_bytes": _peak(),
            "total_bytes": _proc_kib("/proc/meminfo", "MemTotal"),
            "available_bytes": _proc_kib("/proc/meminfo", "MemAvailable"),
        },
    }


def _proc_kib(file: str, name: str) -> int | None:
    """A line `name: value kB` of a file in /proc, in bytes (proc(5)); None where there is no such file or line."""
    try:
        text = Path(file).read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    for line in text.splitlines():
        key, _, rest = line.partition(":")
        if key == name:
            return int(rest.split()[0]) * _KIB
    return None


def _peak() -> int | None:
    """The most memory that this process has held, in bytes; None on Windows."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * _KIB  # bytes on macOS, KiB elsewhere (getrusage(2))
