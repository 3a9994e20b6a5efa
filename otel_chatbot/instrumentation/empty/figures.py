"""Which of the sixteen figures are still zero although there was traffic, and why.

Fed by the merged figures of all processes and by `empty.reasons`; feeds `/health/detailed` (through `_wiring`), which
`otel-chatbot doctor` reads, and the line of `empty.telling`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ... import config
from ...metrics import view
from ...semconv import metrics as m
from .reasons import RunFacts, reason

Empty = Mapping[str, str]
"""A figure by its Prometheus name, its status, why it is empty, and the remedy, which may be empty."""
LOST: Final = "lost"
"""Something was seen that the figure should hold."""
UNUSED: Final = "unused"
"""Nothing was seen that it could hold."""


def empty_figures() -> list[Empty]:
    """The empty figures in the order of the table. The list is empty before the first request."""
    totals = {family.spec.name: _total(family) for family in view.read()}
    if not totals.get(m.API_REQUESTS.name):
        return []
    known = RunFacts(totals, config.current())
    found = [(spec, reason(spec, known)) for spec in m.CHATBOT if not totals.get(spec.name)]
    return [
        {"figure": spec.prometheus, "status": LOST if given.lost else UNUSED, "why": given.why, "remedy": given.remedy}
        for spec, given in found
    ]


def grouped(empty: Sequence[Empty]) -> list[tuple[list[str], Empty]]:
    """The empty figures with one entry per reason: the names of the figures, and the first figure."""
    groups: dict[tuple[str, str], list[Empty]] = {}
    for each in empty:
        groups.setdefault((each["why"], each["remedy"]), []).append(each)
    return [([one["figure"] for one in group], group[0]) for group in groups.values()]


def _total(family: view.Family) -> float:
    return sum(point.value for point in family.points) + sum(point.count for point in family.histograms)
