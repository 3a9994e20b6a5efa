"""What `doctor.command` finds: a name, how it is, a line about it, a remedy. Names are stable: scripts and tests ask for them.

Fed by the modules of this folder; feeds `doctor.text` and `--json`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum


class Status(str, Enum):
    """How something is; only FAILED makes the exit status 1."""

    WELL = "well"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True)
class Finding:
    """One thing, by the name that machines know it by. `looked_at` is False where it could not or was not to be looked at."""

    name: str
    status: Status
    message: str
    remedy: str = ""
    looked_at: bool = True


@dataclass(frozen=True)
class Section:
    """Findings under a title."""

    title: str
    findings: tuple[Finding, ...]


def well(name: str, message: str) -> Finding:
    """Nothing is wrong with it."""
    return Finding(name, Status.WELL, message)


def warning(name: str, message: str, remedy: str = "") -> Finding:
    """It may be meant; it explains why something is missing."""
    return Finding(name, Status.WARNING, message, remedy)


def failed(name: str, message: str, remedy: str = "") -> Finding:
    """It is wrong."""
    return Finding(name, Status.FAILED, message, remedy)


def not_looked_at(name: str, message: str, remedy: str = "") -> Finding:
    """Nothing is known of it; `remedy` says how to have it looked at."""
    return Finding(name, Status.WELL, message, remedy, looked_at=False)


def section(title: str, findings: Iterable[Finding]) -> Section:
    """A section of what a generator finds; what breaks in it is a finding too, and the rest is still looked at."""

    def guarded() -> Iterator[Finding]:
        try:
            yield from findings
        except Exception as error:
            yield failed("doctor", f"could not be looked at: {type(error).__name__}: {error}")

    return Section(title, tuple(guarded()))


def of_status(sections: Sequence[Section], status: Status) -> list[Finding]:
    """All findings of a status that were looked at."""
    return [found for one in sections for found in one.findings if found.looked_at and found.status is status]


def left_out(sections: Sequence[Section]) -> list[Finding]:
    """All that was not looked at."""
    return [found for one in sections for found in one.findings if not found.looked_at]


def as_json(sections: Sequence[Section]) -> str:
    """For machines."""
    found = [
        {"section": one.title, "name": f.name, "status": f.status.value, "message": f.message, "remedy": f.remedy}
        for one in sections
        for f in one.findings
        if f.looked_at
    ]
    rest = [{"name": f.name, "message": f.message, "remedy": f.remedy} for f in left_out(sections)]
    return json.dumps({"well": is_well(sections), "findings": found, "not_looked_at": rest}, indent=2)


def is_well(sections: Sequence[Section]) -> bool:
    """Whether nothing that was looked at is wrong."""
    return not of_status(sections, Status.FAILED)
