"""Reads the figures of the whole run, and folds those of dead processes into one archive.

Fed by the files of the processes (`metrics.shared.cell_file`, `metrics.shared.archive`) and, when it reads, by the series
of this process's own store; feeds `metrics.view`.
A reader holds the folder's lock shared, a process that folds holds it alone, so that no total falls or doubles.
If a process is killed while it folds, the fold has happened as a whole or not at all.
"""

# Descriptors carry the locks, and readers join many paths, which os does much faster:

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Sequence
from typing import Final

from ..._fork import at_fork
from ..series import Series
from . import run_folder
from .archive import Archive
from .cell_file import CellFile, read_cells
from .merge import Catalogue, Slot, Sums
from .run import CELLS, KEYS, NEW, RUN, Run

if run_folder.SUPPORTED:
    import fcntl

_PILE: Final = 128
"""From this number of processes with files in the folder, a new process checks whether it should fold."""
_LITTER_AGE: Final = 60.0
"""Age in seconds at which an unfinished file is removed: its process was killed while it made the file."""

_logger = logging.getLogger("otel_chatbot")


class Reader:
    """Reads a run together with this process's own figures. Keys are parsed once."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._warned: set[str] = set()
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.RLock()
        self.catalogue = Catalogue()
        self._files: dict[str, CellFile] = {}
        self._archive: Archive | None = None
        self._own: list[Slot] = []
        self._complaints: list[str] = []

    def after_fork(self) -> None:
        """In a forked child: use fresh locks, and read the parent's files too."""
        self._begin()

    def gather(self, own: Sequence[Series]) -> Sums:
        """The figures of all processes of the run and of `own` series, added up; dead ones found on the way are folded.

        OSError when files cannot be opened at the moment (too many are): no figures are better than some of them.
        """
        directory = self._run.directory()
        with self._lock:
            sums = Sums(self.catalogue)
            if directory is not None:
                self._gather_files(directory, sums)
            self._add_own(sums, own)
            complaints, self._complaints = self._complaints, []
        self._warn(complaints)
        return sums

    def fold_many(self) -> None:
        """Fold if many processes have come and gone without any reading; otherwise it is cheap."""
        directory = self._run.directory()
        if directory is None or len(os.listdir(directory.path)) < 2 * _PILE:
            return
        with self._lock:
            self._fold(directory)
            complaints, self._complaints = self._complaints, []
        self._warn(complaints)

    def _warn(self, complaints: list[str]) -> None:
        for text in complaints:  # outside of the locks: a log handler may hold its own while it counts
            if text not in self._warned:
                self._warned.add(text)
                _logger.warning("%s", text)

    def _add_own(self, sums: Sums, attached: Sequence[Series]) -> None:
        for series in attached[len(self._own) :]:
            self._own.append(self.catalogue.slot(series.spec, series.key))
        for slot, series in zip(self._own, attached, strict=False):
            cells = series.cells
            if cells is not None:
                sums.add_series(slot, cells)

    def _gather_files(self, directory: run_folder.RunDirectory, sums: Sums) -> None:
        with directory.reading():
            archive = self._load_archive(directory.path)
            archive.add_to(sums)
            found = self._names(directory.path)
            names = found - archive.contains
            dead = names != found  # a fold was killed before it removed these files
            for name in names:
                dead |= not self._add_process(directory.path, name, sums)
        for name in self._files.keys() - names:
            del self._files[name]
        if dead:
            self._fold(directory)

    def _names(self, path: str) -> set[str]:
        """The processes that have files, without this one: opening and closing its own file would drop its lock."""
        suffix = len(KEYS)
        try:
            found = os.listdir(path)
        except FileNotFoundError as error:  # the folder was removed
            self._complain(path, error)
            return set()
        return {name[:-suffix] for name in found if name.endswith(KEYS)} - {self._run.own}

    def _load_archive(self, path: str) -> Archive:
        if self._archive is None:
            self._archive = Archive(path, self.catalogue)
        try:
            self._archive.load()
        except (ValueError, KeyError, TypeError, FileNotFoundError) as error:
            self._complain(os.path.join(path, "folded"), error)
        return self._archive

    def _add_process(self, path: str, name: str, sums: Sums, *, only_dead: bool = False) -> bool:
        """Add a process's figures; return whether it lives."""
        stem = os.path.join(path, name)
        try:
            descriptor = os.open(stem + KEYS, os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, PermissionError) as error:
            self._complain(stem + KEYS, error)
            return True  # nothing to fold
        try:
            live = not run_folder.try_lock(descriptor, fcntl.LOCK_SH, 0)
            if live and only_dead:
                return True
            file = self._files.get(name)
            if file is None:
                file = self._files[name] = CellFile(self.catalogue)
            file.read_keys(descriptor)
        finally:
            os.close(descriptor)
        cells = read_cells(stem + CELLS)
        rows = file.complete(cells)
        if file.unreadable or (rows is not file.rows):
            self._complain(stem, "damaged; what is readable of it counts")
        sums.add(rows, cells, live=live)
        return live

    def _complain(self, path: str, what: object) -> None:
        self._complaints.append(f"metrics of other processes in {path} cannot be read in full: {what}")

    def _fold(self, directory: run_folder.RunDirectory) -> None:
        """Put the figures of dead processes into the archive and remove their files."""
        try:
            with directory.changing():
                self._replace_archive(directory.path)
                _remove_litter(directory.path)
        except OSError as error:  # the files stay as they are, and still count
            self._complaints.append(f"metrics of dead processes in {directory.path} could not be folded: {error}")

    def _replace_archive(self, path: str) -> None:
        archive = self._load_archive(path)
        sums = Sums(self.catalogue)
        archive.add_to(sums)
        names = self._names(path)
        dead = {name for name in names - archive.contains if not self._add_process(path, name, sums, only_dead=True)}
        contained = dead | (archive.contains & names)
        if dead:
            archive.replace(sums, contained)
        for name in contained:
            for suffix in (CELLS, KEYS):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(os.path.join(path, name + suffix))


def _remove_litter(path: str) -> None:
    """Remove unfinished files of processes that were killed while they made them."""
    for entry in list(os.scandir(path)):
        stem, suffix = os.path.splitext(entry.path)
        if suffix in (CELLS, NEW) and not os.path.exists(stem + KEYS):
            with contextlib.suppress(OSError):
                if time.time() - entry.stat().st_mtime > _LITTER_AGE:
                    os.unlink(entry.path)


READER: Final = Reader(RUN)
"""This process's reader."""

at_fork(__name__, in_child=READER.after_fork)
