"""Checks of names that installed packages offer: whether one does, and whether it can be imported.

Feeds the rows in `variables.table`. Names that OpenTelemetry brings along cost no look at the installed packages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points

from .checks import Check, Problem


def offered(group: str, *known: str, several: bool = False, nothing: str | None = None, makes: bool = False) -> Check:
    """Names in a group of entry points. `known` ones need no look; `nothing` is used where no name is left.

    `makes` says that the thing must also be made without an argument, as OpenTelemetry does while it is imported.
    """

    def check(value: str, _: Mapping[str, str]) -> Problem | None:
        names = _names(value) if several else [value.strip()]
        wrong = {name: why for name in names if (why := _fault(group, name, known, makes=makes))}
        if not wrong:
            return None
        good = [name for name in names if name not in wrong]
        there = sorted({*known, *(entry.name for entry in entry_points(group=group))})
        remedy = f"install the package that offers it, or set one of {', '.join(there)}"
        return Problem("; ".join(wrong.values()), remedy, ",".join(good) or nothing)

    return check


def _names(value: str) -> list[str]:
    return [name for name in map(str.strip, value.split(",")) if name]


def _fault(group: str, name: str, known: Iterable[str], *, makes: bool) -> str:
    """What is wrong with a name; empty when nothing is."""
    if name in known:
        return ""
    entry = next(iter(entry_points(group=group, name=name)), None)
    if entry is None:
        return f"no installed package offers {name!r}"
    try:
        made = entry.load()
        if makes:
            made()
    except Exception as error:
        return f"{name!r} cannot be used: {type(error).__name__}: {_first_line(error)}"
    return ""


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]
