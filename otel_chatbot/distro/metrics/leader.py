"""Which process of a run exports the metrics, and which one does so when that process ends.

Fed by `metrics.shared.run` (the lock) and a mark in the run's folder; feeds `distro.metrics.export`. A process that ends
while another leads leaves its last figures in the run's folder for it, and goes. Only when the leader is just ending too
must it wait for the lead, because the leader's last export may have been a moment too early.
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
