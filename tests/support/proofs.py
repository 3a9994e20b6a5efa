"""Figures of proofs: printed always, and kept in the Markdown file that OTEL_CHATBOT_PROOFS names.

    record_proof("200,000 requests", requests=200_000, series=34, rss_growth_mb=0.4)

Fed by the tests that count to large numbers; feeds docs/proofs.md through `make proof`. One section a title, replaced when
the proof runs again; the others stay as they are. Names of figures read best as words: underscores become spaces.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import os
import platform
import subprocess
from pathlib import Path

VARIABLE = "OTEL_CHATBOT_PROOFS"
HEAD = """# Proofs
What the tests that count to large numbers found, written by `make proof`. One section a proof: when it ran, on which commit.
"""
_MARK = "\n## "


def record_proof(title: str, **figures: object) -> None:
    """Print the figures of a proof, and keep them under its title where OTEL_CHATBOT_PROOFS names a file."""
    rows = [(name.replace("_", " "), _shown(value)) for name, value in figures.items()]
    print(f"\nproof: {title}: " + ", ".join(f"{name} {value}" for name, value in rows))
    path = os.environ.get(VARIABLE)
    if path:
        _replace(Path(path), title, _section(title, rows))


def _section(title: str, rows: list[tuple[str, str]]) -> str:
    today = dt.datetime.now(dt.timezone.utc).date().isoformat()
    lines = [title, f"{today}, commit {_commit()}, {_machine()}", "", "| figure | value |", "|---|---|"]
    return "\n".join([*lines, *(f"| {_cell(name)} | {_cell(value)} |" for name, value in rows)]) + "\n"


def _replace(path: Path, title: str, section: str) -> None:
    """Put a section into the place of the one of the same title, or at the end; one process at a time, no reader sees half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        _rewrite(path, title, section)
    finally:
        os.close(folder)


def _rewrite(path: Path, title: str, section: str) -> None:
    text = path.read_text(encoding="utf-8") if path.exists() else HEAD
    head, *sections = text.split(_MARK)
    known = {one.partition("\n")[0]: one.strip("\n") + "\n" for one in sections}
    known[title] = section
    beside = path.with_name(path.name + ".new")
    beside.write_text(head.rstrip("\n") + "\n" + "".join(f"{_MARK}{one}" for one in known.values()), encoding="utf-8")
    beside.replace(path)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    return str(value)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _machine() -> str:
    return f"Python {platform.python_version()}, {os.cpu_count()} CPUs"


def _commit() -> str:
    found = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or "unknown"
