"""Files of processes that have died, as `metrics.shared.run` leaves them: no lock is held on them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from pathlib import Path

from otel_chatbot.metrics.series import Key
from otel_chatbot.metrics.shared.run import CELLS, KEYS, key_lines
from otel_chatbot.semconv.spec import MetricSpec


def leave(folder: Path, name: str, series: Iterable[tuple[MetricSpec, Key, list[float]]]) -> None:
    """Write the two files of a process: its series, each with the figures in its cells."""
    numbers: dict[MetricSpec, int] = {}
    lines: list[str] = []
    cells: array[float] = array("d")
    for spec, key, figures in series:
        lines += key_lines(numbers, spec, key, len(cells))
        cells.extend(figures)
    (folder / (name + KEYS)).write_text("".join(lines))
    (folder / (name + CELLS)).write_bytes(cells.tobytes())
