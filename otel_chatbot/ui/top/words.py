"""Numbers, times and texts as the terminal shows them: in the same words as the pages (`static/format.js`).

Feeds `ui.top.view`. Text from apps may be malicious: a control character could move the cursor or set the window's title.
"""

from __future__ import annotations

import math
import time
import unicodedata
from typing import Final

NONE: Final = "\N{EN DASH}"
_HEALTH: Final = {1: "healthy", 0: "unhealthy"}
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of characters that are not shown: controls, changes of direction, half surrogate pairs, ends of lines."""


def safe(text: object, most: int = 200) -> str:
    """A text on one line, without control characters for the terminal."""
    cut = str(text)[:most]
    return "".join("·" if unicodedata.category(each) in _UNSEEN else each for each in cut)


def count(value: float | None) -> str:
    """A number with separated thousands."""
    if value is None:
        return NONE
    rounded = math.floor(value * 1000 + 0.5) / 1000
    return f"{rounded:,.3f}".rstrip("0").rstrip(".")


def duration(ms: float | None) -> str:
    """A duration."""
    if ms is None:
        return NONE
    if ms == 0:
        return "0 s"
    for below, text in (
        (1, f"{ms * 1000:.0f} µs"),
        (10, f"{ms:.2f} ms"),
        (1000, f"{ms:.0f} ms"),
        (60_000, f"{ms / 1000:.2f} s"),
    ):
        if ms < below:
            return text
    if ms < 3_600_000:
        return f"{ms // 60_000:.0f} min {ms % 60_000 / 1000:.0f} s"
    return f"{ms / 3_600_000:.1f} h"


def cost(dollars: float | None) -> str:
    """An amount of dollars; a small one with two significant digits."""
    if dollars is None:
        return NONE
    if dollars == 0:
        return "$0"
    digits = 2 if dollars >= 1 else min(8, 2 - math.floor(math.log10(abs(dollars))))
    return f"${dollars:.{digits}f}"


def size(value: float) -> str:
    """A number of bytes."""
    return f"{value / 1024:.0f} KiB" if value < 1_048_576 else f"{value / 1_048_576:.1f} MiB"


def figure(value: float | None, unit: str) -> str:
    """A value in a unit of the viewer."""
    if value is None:
        return NONE
    if unit == "s":
        return duration(value * 1000)
    if unit == "share":
        return f"{100 * value:.{1 if value and value < 0.1 else 0}f} %"
    if unit == "health":
        return _HEALTH.get(int(value) if value == int(value) else -1, "degraded")
    if unit in ("usd", "{USD}"):
        return cost(value)
    return size(value) if unit == "By" else count(value)


def clock(ms: float) -> str:
    """A local time of day."""
    return time.strftime("%H:%M:%S", time.localtime(ms / 1000))


def ago(ms: float, now: float) -> str:
    """How long ago a time is; both in milliseconds."""
    seconds = max(0.0, (now - ms) / 1000)
    for below, text in (
        (5, "now"), (60, f"{seconds:.0f} s ago"), (3600, f"{seconds // 60:.0f} min ago"), (86_400, f"{seconds // 3600:.0f} h ago"),
    ):  # fmt: skip
        if seconds < below:
            return text
    return f"{seconds // 86_400:.0f} d ago"
