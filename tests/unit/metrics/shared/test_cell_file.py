"""A file of cells is read as far as it makes sense, each line once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.cells import leave

from otel_chatbot.metrics.shared.cell_file import CellFile, read_cells
from otel_chatbot.metrics.shared.merge import Catalogue, Sums
from otel_chatbot.semconv.spec import Kind, MetricSpec

COUNTER = MetricSpec("seen", Kind.COUNTER, "{thing}", "Things", ("x", "y"))
GAUGE = MetricSpec("level", Kind.GAUGE, "", "")
TIMES = MetricSpec("times", Kind.HISTOGRAM, "s", "", (), (1.0,))
HISTOGRAM = [0.5, 1.0, 0.0, *[0.0] * 10]


@contextmanager
def opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def test_what_was_written_is_read_back_with_its_figures(tmp_path: Path) -> None:
    leave(
        tmp_path,
        "p",
        [(COUNTER, ("1", None), [2.0]), (GAUGE, (), [1.0, 3.0, 9.0]), (TIMES, (), HISTOGRAM), (COUNTER, (None, 7), [4.0])],
    )
    catalogue = Catalogue()
    file = CellFile(catalogue)
    with opened(tmp_path / "p.keys") as keys:
        file.read_keys(keys)
        file.read_keys(keys)
    cells = read_cells(str(tmp_path / "p.cells"))
    sums = Sums(catalogue)
    sums.add(file.complete(cells), cells, live=True)
    assert [(slot.attributes, total) for slot, total in sums.counter_values()] == [({"x": "1"}, 2.0), ({"y": 7}, 4.0)]
    assert [figures for _, figures in sums.histogram_values()] == [[0.5, 1.0, 0.0]]
    assert sums.gauge(0) == 4.0
    assert (file.extent, file.unreadable, file.metrics[0]) == (18, 0, COUNTER)
    assert {slot.spec.name: offset for slot, offset in file.offsets().items() if slot.key != (None, 7)} == {
        "seen": 0,
        "times": 4,
    }


def test_a_line_that_makes_no_sense_is_counted_and_half_a_line_waits_for_its_end(tmp_path: Path) -> None:
    leave(tmp_path, "p", [(COUNTER, ("a", None), [1.0]), (COUNTER, ("b", None), [1.0])])
    path = tmp_path / "p.keys"
    whole = path.read_text()
    path.write_text('nonsense\n["s",5,0,["no such metric"]]\n' + whole[:-5])
    catalogue = Catalogue()
    file = CellFile(catalogue)
    with opened(path) as keys:
        file.read_keys(keys)
        assert (len(catalogue.counters), file.unreadable) == (1, 2)
        path.write_text('nonsense\n["s",5,0,["no such metric"]]\n' + whole)
        file.read_keys(keys)
    assert ([slot.key for slot in catalogue.counters], file.unreadable) == ([("a", None), ("b", None)], 2)


def test_an_offset_that_is_no_place_is_unreadable(tmp_path: Path) -> None:
    leave(tmp_path, "p", [(COUNTER, ("a", None), [1.0])])
    path = tmp_path / "p.keys"
    path.write_text(path.read_text().replace('["s",0,0,', '["s",0,-1,'))
    file = CellFile(Catalogue())
    with opened(path) as keys:
        file.read_keys(keys)
    assert (file.rows.counters, file.unreadable) == ([], 1)


def test_of_cells_that_end_early_only_whole_series_count(tmp_path: Path) -> None:
    leave(tmp_path, "p", [(COUNTER, ("a", None), [1.0]), (GAUGE, (), [1.0, 0.0, 0.0]), (TIMES, (), HISTOGRAM)])
    file = CellFile(Catalogue())
    with opened(tmp_path / "p.keys") as keys:
        file.read_keys(keys)
    data = (tmp_path / "p.cells").read_bytes()
    kept = {}
    for size in (len(data), len(data) - 1, 8 * 4, 8 * 3 + 7, 7):
        (tmp_path / "short").write_bytes(data[:size])
        rows = file.complete(read_cells(str(tmp_path / "short")))
        kept[size] = (len(rows.counters), len(rows.gauges), len(rows.histograms))
    assert list(kept.values()) == [(1, 1, 1), (1, 1, 0), (1, 1, 0), (1, 0, 0), (0, 0, 0)]


def test_a_file_that_is_gone_has_no_cells(tmp_path: Path) -> None:
    assert len(read_cells(str(tmp_path / "gone"))) == 0
