"""Elects the process of a run that exports the metrics, and its successor when it ends.

Fed by `metrics.shared.run` (the lock) and a mark in the run's folder; feeds `distro.metrics.export`. If a process ends while
another one leads, its last figures stay in the run's folder for the leader. Only if the leader is ending too, the process
waits for the lead: the leader's last export may have been a moment too early.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from ...metrics.shared import run


class Leader:
    """The lead of this process's run."""

    def __init__(self) -> None:
        self._leads_in = 0

    def take(self) -> bool:
        """Whether this process leads, from now on or already."""
        if not run.try_lead():
            return False
        if self._leads_in != os.getpid():
            self._leads_in = os.getpid()
            with contextlib.suppress(OSError):
                self._mark.unlink(missing_ok=True)
        return True

    def give_up(self) -> None:
        """Say that this process is ending, if it leads."""
        if self._leads_in == os.getpid():
            with contextlib.suppress(OSError):
                self._mark.touch()

    def is_given_up(self) -> bool:
        """Whether the leader has said that it is ending."""
        return self._mark.exists()

    @property
    def _mark(self) -> Path:
        directory = run.RUN.directory()
        return Path(directory.path if directory is not None else os.devnull, "leader.ends")
