"""What the chatbot promises: the service level objectives, their windows, and the names under which they are recorded.

Fed by `render.promql`; feeds `render.rules`, `render.alerts` and the overview. After Google's SRE workbook, "Alerting on SLOs".
"""

from __future__ import annotations

from dataclasses import dataclass

from ..semconv import metrics as m
from .promql import APPS, Scope

SLO = "slo"
"""The label that says which objective a recorded figure belongs to."""
SHORTEST = "5m"
WINDOWS = (SHORTEST, "30m", "1h", "2h", "6h", "1d", "3d")
BAD = f"slo:sli_errors:rate{SHORTEST}"
ALL = f"slo:sli_events:rate{SHORTEST}"


@dataclass(frozen=True)
class Objective:
    """One promise: `target` of all events are good. `bad` and `all` are expressions, events per second of each service."""

    name: str
    target: float
    promise: str
    bad: str
    all: str

    @property
    def budget(self) -> float:
        """The share of the events that may be bad."""
        return round(1 - self.target, 6)


@dataclass(frozen=True)
class Burn:
    """How fast the budget of 30 days is used up, seen over a long window, and still so over a short one."""

    rate: float
    long: str
    short: str
    severity: str
    hold: str


PAGE, TICKET = "page", "ticket"
BURNS = (
    Burn(14.4, "1h", SHORTEST, PAGE, "2m"),
    Burn(6, "6h", "30m", PAGE, "5m"),
    Burn(3, "1d", "2h", TICKET, "15m"),
    Burn(1, "3d", "6h", TICKET, "1h"),
)
"""The workbook's four: 2 % of the budget in one hour, 5 % in six hours, 10 % in one day, 10 % in three days."""


def burned(window: str) -> str:
    """The recorded share of bad events over a window."""
    return f"slo:sli_error:ratio_rate{window}"


FIRST_CHUNK_WITHIN = 2.5
"""Seconds until a streamed answer begins; an edge of the histogram."""

_SHORT: Scope = APPS.over(SHORTEST)
_CHUNKS = _SHORT.rate(m.GEN_AI_FIRST_CHUNK)
_LATE = f"{_CHUNKS} - {_SHORT.within(m.GEN_AI_FIRST_CHUNK, FIRST_CHUNK_WITHIN)}"

AVAILABILITY = Objective(
    "availability",
    0.99,
    "99 % of the requests are answered without an error: no 5xx answer, no unhandled exception, no failed AI call",
    bad=_SHORT.rate(m.ERRORS),
    all=_SHORT.rate(m.API_REQUESTS),
)
LATENCY = Objective(
    "latency",
    0.95,
    f"95 % of the streamed answers begin within {FIRST_CHUNK_WITHIN} s ({m.GEN_AI_FIRST_CHUNK.prometheus})",
    bad=_SHORT.or_zero(_LATE),
    all=_SHORT.or_zero(_CHUNKS),
)
OBJECTIVES = (AVAILABILITY, LATENCY)
"""Every promise. Change targets here, and render."""
