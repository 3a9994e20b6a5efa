"""Finds the runs of apps on this machine and the folders that they write to, and reads their figures without changing them.

Fed by the folders of `metrics.shared`; feeds `ui.sources`. It neither waits for a lock nor holds one, so that the app never
waits for its viewer. If the app folds during a reading, the reading is repeated.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from .. import _clock
from ..config import Settings
from ..instrumentation.active.gauges import CONVERSATIONS, USERS
from ..instrumentation.active.ids import published
from ..metrics.series import Key
from ..metrics.shared import run_folder, run_key
from ..metrics.shared.archive import Archive
from ..metrics.shared.cell_file import CellFile, read_cells
from ..metrics.shared.merge import Catalogue, Sums
from ..metrics.shared.run import CELLS, KEYS
from ..metrics.view import Family, merged
from ..semconv import metrics as m
from ..semconv.spec import Kind

_ATTEMPTS: Final = 5
_POINTER: Final = "folded"
_FROM_START: Final = tuple(spec for spec in m.CHATBOT if spec.kind is not Kind.GAUGE)
"""Metrics that start at 0. Gauges do not: only the app can read some of them, so they are unknown here."""
_PROC: Final = Path("/proc")


@dataclass(frozen=True)
class Run:
    """One start of an app: its folder, its `service.instance.id`, its beginning in unix nanoseconds, its first process."""

    path: str
    instance: str
    start: int
    pid: int


def runs() -> list[Run]:
    """This user's living runs; a run whose end cannot be seen from here counts as living."""
    if not run_folder.SUPPORTED:  # processes share nothing there
        return []
    root = Path(run_folder.place())
    found = []
    for entry in (*_folders(root), root / "otel-chatbot-1"):
        run = _run(entry)
        if run is not None:
            found.append(run)
    return found


def _folders(root: Path) -> list[Path]:
    try:
        return sorted(root.iterdir())
    except OSError:
        return []


def _run(folder: Path) -> Run | None:
    try:
        said = json.loads((folder / "run").read_bytes())
        key = str(said["key"])
        if run_key.is_gone(key):
            return None
        return Run(str(folder), str(said["id"]), int(said["start"]), int(key.partition("-")[0]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def environment(run: Run) -> tuple[Mapping[str, str], str] | None:
    """The environment and the working folder of a run's first process; None if the system does not tell."""
    process = _PROC / str(run.pid)
    try:
        parts = process.joinpath("environ").read_bytes().split(b"\0")
        folder = str(process.joinpath("cwd").readlink())
    except OSError:
        return None
    return dict(os.fsdecode(part).partition("=")[::2] for part in parts if b"=" in part), folder


class Figures:
    """Reads the figures of one run repeatedly; keys are parsed only once."""

    def __init__(self, run: Run, settings: Settings) -> None:
        self.run = run
        self._settings = settings
        self._sources = {
            m.ACTIVE_USERS.name: partial(self._active, USERS),
            m.ACTIVE_CONVERSATIONS.name: partial(self._active, CONVERSATIONS),
        }
        self._catalogue = Catalogue()
        self._archive = Archive(run.path, self._catalogue)
        self._files: dict[str, CellFile] = {}

    def read(self) -> list[Family] | None:
        """The counts of all processes of the run; None if they cannot be read at the moment."""
        for _ in range(_ATTEMPTS):
            try:
                before = self._pointer()
                sums = self._sums()
            except (OSError, ValueError, KeyError, TypeError):  # the app folded meanwhile, or the folder was removed
                continue
            if self._pointer() == before:
                return merged(sums, self._catalogue, _FROM_START, self._sources)
        return None

    def _active(self, kind: str) -> dict[Key, float]:
        since = _clock.monotonic() - self._settings.active_window
        return {(): float(published(Path(self.run.path), kind, since))}

    def _pointer(self) -> bytes:
        try:
            return Path(self.run.path, _POINTER).read_bytes()
        except FileNotFoundError:
            return b""

    def _sums(self) -> Sums:
        sums = Sums(self._catalogue)
        self._archive.load()
        self._archive.add_to(sums)
        names = {name[: -len(KEYS)] for name in os.listdir(self.run.path) if name.endswith(KEYS)} - self._archive.contains
        for name in sorted(names):
            self._add(name, sums)
        for gone in self._files.keys() - names:
            del self._files[gone]
        return sums

    def _add(self, name: str, sums: Sums) -> None:
        stem = os.path.join(self.run.path, name)
        descriptor = os.open(stem + KEYS, os.O_RDONLY | os.O_CLOEXEC)
        try:
            file = self._files.setdefault(name, CellFile(self._catalogue))
            file.read_keys(descriptor)
        finally:
            os.close(descriptor)
        cells = read_cells(stem + CELLS)
        sums.add(file.complete(cells), cells, live=_lives(name))


def _lives(name: str) -> bool:
    """Whether the process that a file is named after lives. Its lock is not tried: the owner may need it at this moment."""
    return _PROC.joinpath(name.partition("-")[0]).exists() or not _PROC.joinpath("self").exists()
