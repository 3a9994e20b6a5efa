"""What the doctor found, as a person reads it: the verdict, what to do, what was not looked at, and then the rest.

Fed by `doctor.findings`; feeds the terminal. Colour on a terminal alone (no-color.org); plain letters where signs cannot be
written.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .findings import Finding, Section, Status, is_well, left_out, of_status

_SIGNS: Final = {Status.WELL: "✓", Status.WARNING: "!", Status.FAILED: "✗"}
_LETTERS: Final = {Status.WELL: "+", Status.WARNING: "!", Status.FAILED: "x"}
_COLORS: Final = {Status.WELL: "\x1b[32m", Status.WARNING: "\x1b[33m", Status.FAILED: "\x1b[31m"}
_DIM: Final = "\x1b[2m"
_RESET: Final = "\x1b[0m"
_WORST: Final = (Status.FAILED, Status.WARNING, Status.WELL)


@dataclass(frozen=True)
class Style:
    """What a stream can show."""

    signs: bool = True
    color: bool = False

    @classmethod
    def of(cls, stream: Any) -> Style:
        """The style for a stream: colour on a terminal unless NO_COLOR is set, signs where its encoding has them."""
        terminal = bool(getattr(stream, "isatty", bool)()) and os.environ.get("TERM") != "dumb"
        try:
            "".join(_SIGNS.values()).encode(getattr(stream, "encoding", None) or "ascii")
            signs = True
        except (UnicodeEncodeError, LookupError):
            signs = False
        return cls(signs, terminal and not os.environ.get("NO_COLOR"))

    def mark(self, status: Status) -> str:
        """The sign of a status."""
        return self.paint(_COLORS[status], (_SIGNS if self.signs else _LETTERS)[status])

    def paint(self, color: str, text: str) -> str:
        """A text in a colour, where there are colours."""
        return f"{color}{text}{_RESET}" if self.color else text


def as_text(sections: Sequence[Section], style: Style) -> str:
    """The whole report."""
    return "\n".join(_lines(sections, style))


def verdict(sections: Sequence[Section]) -> str:
    """One line: how many faults and warnings, in how much, and how much was not looked at."""
    looked = sum(found.looked_at for one in sections for found in one.findings)
    faults, warnings = (len(of_status(sections, status)) for status in (Status.FAILED, Status.WARNING))
    said = f"{_count(faults, 'fault') if faults else 'no fault'}"
    if warnings:
        said += f" and {_count(warnings, 'warning')}"
    rest = len(left_out(sections))
    return f"{said} in {_count(looked, 'thing')} looked at; {f'{rest} not looked at' if rest else 'nothing was left out'}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _lines(sections: Sequence[Section], style: Style) -> Iterator[str]:
    overall = Status.FAILED if not is_well(sections) else Status.WARNING if of_status(sections, Status.WARNING) else Status.WELL
    yield f"{style.mark(overall)} {verdict(sections)}"
    for status, title in ((Status.FAILED, "Faults: what to do"), (Status.WARNING, "Warnings: fine if they are meant")):
        if found := of_status(sections, status):
            yield from ("", title)
            for one in found:
                yield from _finding(one, style.mark(status), style)
    if rest := left_out(sections):
        yield from ("", "Not looked at")
        for one in rest:
            yield from _finding(one, style.paint(_DIM, "-"), style)
    yield from ("", "Looked at")
    for part in sections:
        seen = [one for one in part.findings if one.looked_at]
        if not seen:
            continue
        worst = next(status for status in _WORST if any(one.status is status for one in seen))
        yield f"{style.mark(worst)} {part.title}"
        yield from (f"    {one.message}" for one in seen if one.status is Status.WELL)


def _finding(one: Finding, mark: str, style: Style) -> Iterator[str]:
    yield f"  {mark} {one.message}"
    if one.remedy:
        yield style.paint(_DIM, f"      {one.remedy}")
