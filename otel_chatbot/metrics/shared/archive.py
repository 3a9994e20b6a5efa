"""The figures of dead processes: one file of sums for all of them.

Fed by `metrics.shared.compaction`, under the folder's locks; feeds `metrics.shared.compaction` again.

`folded` is a small JSON file that names the file of the sums, says how much of `folded-keys` is valid, and lists the
processes whose figures are in it. It is replaced in one step. Keys are only ever appended, so that readers parse them once.
"""

# Descriptors carry the locks, and readers join many paths, which os does much faster:

from __future__ import annotations

import contextlib
import json
import os
from array import array
from typing import Final

from ..series import EXEMPLAR, EXEMPLAR_CELLS, cell_count
from .cell_file import CellFile, read_cells
from .merge import Catalogue, Slot, Sums
from .run import key_lines, write_all

_POINTER: Final = "folded"
_KEYS: Final = "folded-keys"


class Archive:
    """The sums of dead processes. The attributes hold what `load` found."""

    def __init__(self, path: str, catalogue: Catalogue) -> None:
        self.contains: set[str] = set()
        """Processes whose figures are in the sums. If such a process still has a file, it must not be counted again."""
        self._path = path
        self._catalogue = catalogue
        self._file = CellFile(catalogue)
        self._name = ""
        self._keys = 0

    def load(self) -> None:
        """Read what has changed; ValueError when `folded` is damaged, which only other programs can do."""
        try:
            with open(os.path.join(self._path, _POINTER), "rb") as file:
                found = json.load(file)
        except FileNotFoundError:
            found = {"cells": "", "keys": 0, "contains": []}
        name, keys, contains = str(found["cells"]), int(found["keys"]), set(map(str, found["contains"]))
        if name != self._name:
            descriptor = os.open(os.path.join(self._path, _KEYS), os.O_RDONLY | os.O_CLOEXEC)
            try:
                self._file.read_keys(descriptor, keys)
            finally:
                os.close(descriptor)
        self._name, self._keys, self.contains = name, keys, contains

    def add_to(self, sums: Sums) -> None:
        """Add the sums."""
        if self._name:
            cells = read_cells(os.path.join(self._path, self._name))
            sums.add(self._file.complete(cells), cells, live=False)

    def replace(self, sums: Sums, contains: set[str]) -> None:
        """Write new sums in place of the old ones; `contains` are the processes in it that still have files.

        If this raises OSError, nothing has changed, and the next fold starts again.
        """
        offsets, lines, size = self._layout(sums)
        cells = array("d", bytes(8 * size))
        bits = memoryview(cells).cast("B")
        for slot, total in sums.counter_values():
            cells[offsets[slot]] = total
        for slot, figures in sums.histogram_values():
            offset = offsets[slot]
            first = offset + 1 + slot.buckets
            cells[offset:first] = array("d", figures)
            for bucket, exemplar in enumerate(sums.exemplars.get(slot.number, ())):
                if exemplar is not None:
                    high, low = exemplar.trace_id >> 64, exemplar.trace_id & 0xFFFFFFFFFFFFFFFF
                    start = 8 * (first + EXEMPLAR_CELLS * bucket)
                    EXEMPLAR.pack_into(bits, start, high, low, exemplar.span_id, exemplar.value, exemplar.time)
        bits.release()
        keys = self._append(lines)
        name = f"{_POINTER}.{os.urandom(4).hex()}"
        _write(os.path.join(self._path, name), cells.tobytes())
        pointer = json.dumps({"cells": name, "keys": keys, "contains": sorted(contains)})
        _write(os.path.join(self._path, _POINTER + ".new"), pointer.encode())
        os.replace(os.path.join(self._path, _POINTER + ".new"), os.path.join(self._path, _POINTER))
        self._remove_others(name)

    def _layout(self, sums: Sums) -> tuple[dict[Slot, int], list[str], int]:
        """The offset of each series, the lines of new series, and the cells needed. Known series keep their offsets."""
        offsets = self._file.offsets()
        numbers = {spec: number for number, spec in self._file.metrics.items()}
        size = self._file.extent
        lines: list[str] = []
        for slot in (*(s for s, _ in sums.counter_values()), *(s for s, _ in sums.histogram_values())):
            if slot not in offsets:
                lines += key_lines(numbers, slot.spec, slot.key, size)
                offsets[slot] = size
                size += cell_count(slot.spec)
        return offsets, lines, size

    def _append(self, lines: list[str]) -> int:
        descriptor = os.open(os.path.join(self._path, _KEYS), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, self._keys)  # what a killed fold left behind
            data = "".join(lines).encode()
            write_all(descriptor, data, self._keys)
            return self._keys + len(data)
        finally:
            os.close(descriptor)

    def _remove_others(self, current: str) -> None:
        for name in os.listdir(self._path):
            if name.startswith(_POINTER + ".") and name != current:
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(self._path, name))


def _write(path: str, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        write_all(descriptor, data, 0)
    finally:
        os.close(descriptor)
