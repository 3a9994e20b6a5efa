"""Reads a file of cells: which series it holds, and their figures.

Fed by the files that `metrics.shared.run` writes; feeds `metrics.shared.compaction`.
A file may end in the middle of a line or of a cell,
because its owner was killed or the disk was full. The readable part counts.
"""

from __future__ import annotations

import json
import os
from array import array

from ...semconv.spec import Kind, MetricSpec
from ..series import cell_count
from .merge import Catalogue, Rows, Slot, known_spec


class CellFile:
    """The keys of one file. They are only ever appended to, so each line is read once."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.rows = Rows()
        self.metrics: dict[int, MetricSpec] = {}
        self.unreadable = 0
        """Lines that could not be understood."""
        self._catalogue = catalogue
        self._position = 0
        self._rest = b""
        self.extent = 0
        """How many cells the series take."""

    def read_keys(self, descriptor: int, end: int | None = None) -> None:
        """Read the new lines of the file of keys, up to the byte `end`."""
        size = os.fstat(descriptor).st_size if end is None else end
        while self._position < size:
            data = os.pread(descriptor, size - self._position, self._position)
            if not data:
                break
            self._position += len(data)
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                try:
                    self._take(json.loads(line))
                except (ValueError, KeyError, TypeError, IndexError):
                    self.unreadable += 1

    def _take(self, line: list[object]) -> None:
        if line[0] == "m":
            _, number, name, kind, unit, description, attributes, buckets = line
            spec = MetricSpec(
                str(name),
                Kind(kind),
                str(unit),
                str(description),
                tuple(map(str, attributes)),  # type: ignore[call-overload]
                tuple(map(float, buckets)),  # type: ignore[call-overload]
            )
            self.metrics[number] = known_spec(spec)  # type: ignore[index]
        else:
            _, number, offset, values = line
            spec = self.metrics[number]  # type: ignore[index]
            if type(offset) is not int or offset < 0:
                raise ValueError(offset)
            self.rows.add(self._catalogue.slot(spec, tuple(values)), offset)  # type: ignore[arg-type]
            self.extent = max(self.extent, offset + cell_count(spec))

    def offsets(self) -> dict[Slot, int]:
        """The offsets of the counters and histograms."""
        counters = self._catalogue.counters
        return {counters[number]: offset for number, offset in self.rows.counters} | dict(self.rows.histograms)

    def complete(self, cells: array[float]) -> Rows:
        """The series whose cells are all there."""
        if len(cells) >= self.extent:
            return self.rows
        size = len(cells)
        return Rows(
            [row for row in self.rows.counters if row[1] < size],
            [row for row in self.rows.histograms if row[1] + cell_count(row[0].spec) <= size],
            [row for row in self.rows.gauges if row[1] + 3 <= size],
        )


def read_cells(path: str) -> array[float]:
    """All cells of a file, in one read; none when the file is gone."""
    cells: array[float] = array("d")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return cells
    try:
        data = os.read(descriptor, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)
    cells.frombytes(data[: len(data) // 8 * 8])
    return cells
