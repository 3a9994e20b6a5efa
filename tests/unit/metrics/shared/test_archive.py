"""The archive of the dead: sums are read back as they were written, keys stay where they stand."""

from __future__ import annotations

import json
from array import array
from pathlib import Path

import pytest

from otel_chatbot.metrics.series import Exemplar, Key
from otel_chatbot.metrics.shared.archive import Archive
from otel_chatbot.metrics.shared.merge import Catalogue, Rows, Sums
from otel_chatbot.semconv.spec import Kind, MetricSpec

COUNTER = MetricSpec("seen", Kind.COUNTER, "", "", ("x", "y"))
TIMES = MetricSpec("times", Kind.HISTOGRAM, "s", "", (), (1.0,))
EXEMPLAR = Exemplar(0.5, (1 << 127) + 9, (1 << 63) + 5, 1000.25)


def counted(catalogue: Catalogue, sums: Sums, key: Key, amount: float) -> None:
    rows = Rows()
    rows.add(catalogue.slot(COUNTER, key), 0)
    sums.add(rows, array("d", [amount]), live=False)


def totals(sums: Sums) -> dict[Key, float]:
    return {slot.key: total for slot, total in sums.counter_values()}


def read(folder: Path) -> tuple[Archive, Sums]:
    catalogue = Catalogue()
    archive, sums = Archive(str(folder), catalogue), Sums(catalogue)
    archive.load()
    archive.add_to(sums)
    return archive, sums


def test_what_was_written_is_read_back_and_who_is_in_it(tmp_path: Path) -> None:
    catalogue = Catalogue()
    archive, sums = Archive(str(tmp_path), catalogue), Sums(catalogue)
    archive.load()
    counted(catalogue, sums, ("a", None), 2.5)
    counted(catalogue, sums, (None, "a"), 1.0)
    slot = catalogue.slot(TIMES, ())
    sums.add_series(slot, memoryview(array("d", [0.5, 1.0, 2.0, *[0.0] * 10])))
    sums.exemplars[slot.number] = [EXEMPLAR, None]
    archive.replace(sums, {"p-2", "p-1"})
    found, again = read(tmp_path)
    assert found.contains == {"p-1", "p-2"}
    assert totals(again) == {("a", None): 2.5, (None, "a"): 1.0}
    assert [(figures, again.exemplars[s.number]) for s, figures in again.histogram_values()] == [
        ([0.5, 1.0, 2.0], [EXEMPLAR, None])
    ]


def test_a_second_fold_appends_keys_and_leaves_no_file_of_the_first(tmp_path: Path) -> None:
    _, sums = archive, first = read(tmp_path)
    counted(archive._catalogue, first, ("a", None), 1.0)
    archive.replace(sums, {"one"})
    keys = (tmp_path / "folded-keys").read_bytes()
    archive, second = read(tmp_path)
    counted(archive._catalogue, second, ("a", None), 1.0)
    counted(archive._catalogue, second, ("b", None), 5.0)
    archive.replace(second, set())
    assert (tmp_path / "folded-keys").read_bytes().startswith(keys)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["folded", "folded-keys", json.loads((tmp_path / "folded").read_text())["cells"]]
    )
    found, third = read(tmp_path)
    assert (totals(third), found.contains) == ({("a", None): 2.0, ("b", None): 5.0}, set())


def test_keys_that_a_killed_fold_left_behind_are_not_read_and_are_overwritten(tmp_path: Path) -> None:
    archive, sums = read(tmp_path)
    counted(archive._catalogue, sums, ("a", None), 1.0)
    archive.replace(sums, set())
    with (tmp_path / "folded-keys").open("a") as file:
        file.write('["s",0,1,["half a fold' + "x" * 500)
    archive, again = read(tmp_path)
    assert totals(again) == {("a", None): 1.0}
    counted(archive._catalogue, again, ("b", None), 2.0)
    archive.replace(again, set())
    assert (tmp_path / "folded-keys").stat().st_size == json.loads((tmp_path / "folded").read_text())["keys"]
    assert totals(read(tmp_path)[1]) == {("a", None): 1.0, ("b", None): 2.0}


def test_a_folder_without_an_archive_has_nothing_and_a_damaged_one_is_an_error(tmp_path: Path) -> None:
    archive, sums = read(tmp_path)
    assert (totals(sums), archive.contains) == ({}, set())
    (tmp_path / "folded").write_text("{")
    with pytest.raises(ValueError):
        read(tmp_path)
