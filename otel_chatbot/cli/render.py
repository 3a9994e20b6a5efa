"""`otel-chatbot render`: shows what would change in a folder, writes the files that are rendered, or says which differ.

Fed by `render.files()`; feeds the folder that is named: a copy of the repository, or one of the user's own.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from .. import config
from ..render import files
from ..render.rules import RUNBOOKS

_MOST_LINES = 40
"""Lines of one file's difference that are shown."""


@dataclass(frozen=True)
class RenderOptions:
    """What to do. `folder` and `root` are empty where none was named: then nothing is written."""

    folder: str = ""
    root: str = ""
    runbooks: str = ""
    check: bool = False
    force: bool = False

    @property
    def named(self) -> str:
        """The folder that was named."""
        return self.folder or self.root


def render(asked: RenderOptions) -> int:
    """Write, show or compare; 1 when a file differs that was not to be overwritten, 2 when that was not possible."""
    runbooks = asked.runbooks or config.current().runbooks
    if runbooks and urlsplit(runbooks).scheme not in ("http", "https"):
        print(f"{runbooks} is not an absolute address: expected one like https://wiki.example/runbooks", file=sys.stderr)
        return 2
    folder, wanted = Path(asked.named or "."), files((runbooks if "{page}" in runbooks else runbooks.rstrip("/")) or RUNBOOKS)
    try:
        there = {name: _text(folder / name) for name in wanted}
        if asked.check:
            return _check(wanted, there)
        return _write(folder, wanted, there, asked)
    except (OSError, ValueError) as error:
        print(f"{folder}: {error}", file=sys.stderr)
        return 2


def _check(wanted: dict[str, str], there: dict[str, str | None]) -> int:
    differing = [name for name, text in wanted.items() if there[name] != text]
    for name in differing:
        print(f"{name} differs from what `otel-chatbot render` writes")
    if not differing:
        print(f"{len(wanted)} files are as they should be")
    return 1 if differing else 0


def _write(folder: Path, wanted: dict[str, str], there: dict[str, str | None], asked: RenderOptions) -> int:
    kept = 0
    for name, text in wanted.items():
        before = there[name]
        if before == text:
            continue
        overwrites = before is not None
        if before is not None:
            print("\n".join(_difference(name, before, text)))
        if asked.named and (not overwrites or asked.force):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
            print(f"{name} {'overwritten' if overwrites else 'written'}")
        elif asked.named:
            kept += 1
            print(f"{name} kept as it is")
        else:
            print(f"{name} would be {'overwritten, with --force' if overwrites else 'written'}")
    if all(there[name] == text for name, text in wanted.items()):
        print(f"{len(wanted)} files are as they should be")
    elif not asked.named:
        print("nothing was written: name a folder, as in: otel-chatbot render .")
    if kept:
        print(
            f"{kept} file{'s differ' if kept != 1 else ' differs'} and {'were' if kept != 1 else 'was'} kept: --force overwrites"
        )
    return 1 if kept else 0


def _difference(name: str, before: str, after: str) -> Iterator[str]:
    """What would change in a file, and no more lines of it than one reads."""
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), name, name, "as it is", "as rendered", 1, ""))
    yield from lines[:_MOST_LINES]
    if len(lines) > _MOST_LINES:
        yield f"... {len(lines) - _MOST_LINES} more lines"


def _text(path: Path) -> str | None:
    """A file's text; None where there is none."""
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return None
