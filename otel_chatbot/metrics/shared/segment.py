"""Cells in memory: the figures of a process live there when no other process shares them.

Feeds `metrics.store`. The segment that other processes can read is in `metrics.shared.run`.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ...semconv.spec import MetricSpec
    from ..series import Cells, Key


class Segment(Protocol):
    """Gives out blocks of 8-byte cells, all zero."""

    def allocate(self, spec: MetricSpec, key: Key, count: int) -> Cells:
        """A writable memoryview of `count` cells of format `d` for one series."""
        ...

    def complaint(self) -> str:
        """What went wrong since the last call, for the log; empty when nothing did."""
        ...

    def abandon(self) -> None:
        """In a forked child: close what it inherited."""
        ...


class MemorySegment:
    """Cells in this process's memory only. If sharing was wanted, `reason` says why it failed."""

    def __init__(self, reason: str = "") -> None:
        self._reason = reason

    def allocate(self, spec: MetricSpec, key: Key, count: int) -> Cells:
        """Zeroed cells; see `Segment`."""
        del spec, key
        return memoryview(array("d", bytes(8 * count))).cast("B").cast("d")

    def complaint(self) -> str:
        """Why the figures are not shared; told only once."""
        reason, self._reason = self._reason, ""
        return reason

    def abandon(self) -> None:
        """Do nothing: no file is open."""
