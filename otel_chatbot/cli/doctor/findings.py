"""What `doctor.command` finds: a name, how it is, a line about it, a remedy. Names are stable: scripts and tests ask for them.

Fed by the modules `doctor_*`; feeds the terminal and `--json`.
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


_MARKS = {Status.WELL: " ", Status.WARNING: "~", Status.FAILED: "!"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `name` says which, for machines."""

    name: str
    status: Status
    message: str
    remedy: str = ""


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


def section(title: str, findings: Iterable[Finding]) -> Section:
    """A section of what a generator finds; what breaks in it is a finding too, and the rest is still looked at."""

    def guarded() -> Iterator[Finding]:
        try:
            yield from findings
        except Exception as error:
            yield failed("doctor", f"could not be looked at: {type(error).__name__}: {error}")

    return Section(title, tuple(guarded()))


def as_text(sections: Sequence[Section]) -> str:
    """For people: `!` marks what is wrong, `~` what may be meant, and a line says what to do."""
    lines = []
    for one in sections:
        lines.append(one.title)
        for found in one.findings:
            lines.append(f"  {_MARKS[found.status]} {found.message}")
            if found.remedy:
                lines.append(f"      {found.remedy}")
    count = sum(found.status is Status.FAILED for one in sections for found in one.findings)
    lines.append(f"{count or 'no'} fault{'s' * (count != 1)} found")
    return "\n".join(lines)


def as_json(sections: Sequence[Section]) -> str:
    """For machines."""
    found = [
        {"section": one.title, "name": f.name, "status": f.status.value, "message": f.message, "remedy": f.remedy}
        for one in sections
        for f in one.findings
    ]
    return json.dumps({"well": is_well(sections), "findings": found}, indent=2)


def is_well(sections: Sequence[Section]) -> bool:
    """Whether nothing is wrong."""
    return not any(found.status is Status.FAILED for one in sections for found in one.findings)
