"""Reading the run: every process counts once, the dead are folded into the archive, and nothing doubles."""

from __future__ import annotations

import json
import logging
import os
from array import array
from pathlib import Path

import pytest
from support.cells import leave

from otel_chatbot.metrics.gauge_series import GaugeSeries
from otel_chatbot.metrics.series import CounterSeries, Key, Series
from otel_chatbot.metrics.shared import compaction
from otel_chatbot.metrics.shared.compaction import Reader
from otel_chatbot.metrics.shared.merge import Sums
from otel_chatbot.metrics.shared.run import Run
from otel_chatbot.metrics.shared.run_folder import RunDirectory
from otel_chatbot.semconv.spec import Kind, MetricSpec

COUNTER = MetricSpec("seen", Kind.COUNTER, "", "", ("x",))
GAUGE = MetricSpec("level", Kind.GAUGE, "", "")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def run(folder: Path) -> Run:
    directory = RunDirectory(str(folder), "key")
    return Run(lambda: directory)


def totals(sums: Sums) -> dict[Key, float]:
    return {slot.key: total for slot, total in sums.counter_values()}


def of_processes(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.suffix in (".keys", ".cells")}


def test_the_dead_are_counted_folded_and_counted_again_from_the_archive(run: Run, folder: Path) -> None:
    leave(folder, "1-a", [(COUNTER, ("x",), [2.0]), (GAUGE, (), [5.0, 0.0, 0.0])])
    leave(folder, "2-b", [(COUNTER, ("x",), [3.0]), (COUNTER, (None,), [1.0])])
    reader = Reader(run)
    first = reader.gather(())
    assert totals(first) == {("x",): 5.0, (None,): 1.0}
    assert first.gauge(0) is None
    assert of_processes(folder) == set()
    assert totals(reader.gather(())) == totals(Reader(run).gather(())) == {("x",): 5.0, (None,): 1.0}


def test_a_file_of_a_process_that_is_in_the_archive_is_removed_and_not_counted_twice(run: Run, folder: Path) -> None:
    leave(folder, "1-a", [(COUNTER, ("x",), [2.0])])
    kept = {path: path.read_bytes() for path in folder.iterdir() if path.name.startswith("1-a")}
    Reader(run).gather(())
    # As a fold leaves it that is killed before it removes the files.
    (folder / "folded").write_text(json.dumps({**json.loads((folder / "folded").read_text()), "contains": ["1-a"]}))
    for path, data in kept.items():
        path.write_bytes(data)
    assert totals(Reader(run).gather(())) == {("x",): 2.0}
    assert of_processes(folder) == set()
    assert totals(Reader(run).gather(())) == {("x",): 2.0}


def test_this_processs_own_series_are_added_and_those_without_a_recording_are_not(run: Run, folder: Path) -> None:
    def attach(series: Series) -> memoryview:
        series.take(memoryview(array("d", [0.0, 0.0, 0.0])))
        assert series.cells is not None
        return series.cells

    leave(folder, "1-a", [(COUNTER, ("x",), [2.0])])
    counter, silent, gauge = (
        CounterSeries(COUNTER, ("x",), attach),
        CounterSeries(COUNTER, ("y",), attach),
        GaugeSeries(GAUGE, (), attach),
    )
    counter.add(4.0)
    gauge.move(3.0)
    sums = Reader(run).gather([counter, silent, gauge])
    assert (totals(sums), sums.gauge(0)) == ({("x",): 6.0}, 3.0)


def test_a_damaged_file_and_a_damaged_archive_are_told_once_and_the_rest_counts(
    run: Run, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reader = Reader(run)
    (folder / "folded").write_text("{")
    leave(folder, "1-a", [(COUNTER, ("x",), [2.0])])
    with (folder / "1-a.keys").open("a") as file:
        file.write("nonsense\n")
    for _ in range(2):
        assert totals(reader.gather(())) == {("x",): 2.0}
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(told) == len(set(told))
    assert [f"{folder}/folded cannot" in text or f"{folder}/1-a cannot" in text for text in told] == [True, True]


def test_a_new_process_folds_only_when_many_have_come_and_gone(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "_PILE", 4)
    leave(folder, "1-a", [(COUNTER, ("x",), [1.0])])
    Reader(run).fold_many()
    assert of_processes(folder) == {"1-a.keys", "1-a.cells"}
    for number in range(2, 5):
        leave(folder, f"{number}-a", [(COUNTER, ("x",), [1.0])])
    Reader(run).fold_many()
    assert of_processes(folder) == set()
    assert totals(Reader(run).gather(())) == {("x",): 4.0}


def test_what_was_left_while_files_were_made_is_removed_when_it_is_old(run: Run, folder: Path) -> None:
    for name, age in (("1-a.new", 600), ("1-a.cells", 600), ("2-b.new", 0)):
        (folder / name).write_bytes(b"")
        then = (folder / name).stat().st_mtime - age
        os.utime(folder / name, (then, then))
    leave(folder, "3-c", [(COUNTER, ("x",), [1.0])])
    Reader(run).gather(())
    assert {path.name for path in folder.iterdir() if path.name[1] == "-"} == {"2-b.new"}


def test_where_nothing_is_shared_a_process_reads_itself() -> None:
    class Alone(Run):
        def directory(self) -> None:
            return None

    reader = Reader(Alone())
    reader.fold_many()
    assert totals(reader.gather(())) == {}
