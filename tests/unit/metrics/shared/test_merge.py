"""Adding up: counters and buckets are sums, gauges those of the living, an exemplar the latest."""

from __future__ import annotations

from array import array

import pytest

from otel_chatbot.metrics.gauge_series import GONE
from otel_chatbot.metrics.series import EXEMPLAR, EXEMPLAR_CELLS, OVERFLOW_KEY, Exemplar, Key
from otel_chatbot.metrics.shared.merge import Catalogue, Rows, Sums, known_spec, later
from otel_chatbot.semconv import attributes as a
from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv.spec import Kind, MetricSpec

COUNTER = MetricSpec("seen", Kind.COUNTER, "", "", ("x", "y"))
GAUGE = MetricSpec("level", Kind.GAUGE, "", "")
TIMES = MetricSpec("times", Kind.HISTOGRAM, "s", "", (), (1.0, 2.0))


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue()


def add(sums: Sums, catalogue: Catalogue, spec: MetricSpec, cells: list[float], *, live: bool = True, key: Key = ()) -> None:
    rows = Rows()
    rows.add(catalogue.slot(spec, key), 1)
    sums.add(rows, array("d", [99.0, *cells]), live=live)


def exemplar_cells(*exemplars: Exemplar | None) -> list[float]:
    data = b"".join(
        bytes(8 * EXEMPLAR_CELLS)
        if e is None
        else EXEMPLAR.pack(e.trace_id >> 64, e.trace_id & (2**64 - 1), e.span_id, e.value, e.time)
        for e in exemplars
    )
    return array("d", data).tolist()


def test_a_series_has_one_slot_whatever_type_its_values_have(catalogue: Catalogue) -> None:
    slot = catalogue.slot(COUNTER, ("1", None))
    assert catalogue.slot(COUNTER, (1, None)) is slot
    assert slot.attributes == {"x": "1"}
    assert catalogue.slot(COUNTER, (None, "1")).attributes == {"y": "1"}
    assert [found.number for found in catalogue.of(Kind.COUNTER)] == [0, 1]
    assert catalogue.slot(COUNTER, OVERFLOW_KEY).attributes == {a.OVERFLOW: "true"}


def test_histograms_of_other_edges_are_other_series(catalogue: Catalogue) -> None:
    other = MetricSpec("times", Kind.HISTOGRAM, "s", "", (), (1.0, 3.0))
    assert catalogue.slot(TIMES, ()) is not catalogue.slot(other, ())


def test_counters_of_the_living_and_the_dead_add_up(catalogue: Catalogue) -> None:
    sums = Sums(catalogue)
    catalogue.slot(COUNTER, (None, "never recorded"))
    add(sums, catalogue, COUNTER, [2.0], key=("a", "b"))
    add(sums, catalogue, COUNTER, [0.5], key=("a", "b"), live=False)
    assert [(slot.attributes, total) for slot, total in sums.counter_values()] == [({"x": "a", "y": "b"}, 2.5)]


def test_buckets_add_up_and_the_latest_exemplar_of_each_stays(catalogue: Catalogue) -> None:
    sums = Sums(catalogue)
    early, late, only = Exemplar(0.5, 1 << 100 | 3, 4, 10.0), Exemplar(0.6, 5, 6, 20.0), Exemplar(9.0, 7, 8, 5.0)
    add(sums, catalogue, TIMES, [1.5, 1.0, 2.0, 3.0, *exemplar_cells(late, None, only)])
    add(sums, catalogue, TIMES, [0.5, 4.0, 0.0, 1.0, *exemplar_cells(early, None, None)], live=False)
    [(slot, figures)] = sums.histogram_values()
    assert figures == [2.0, 5.0, 2.0, 4.0]
    assert sums.exemplars[slot.number] == [late, None, only]
    alone = Sums(catalogue)
    add(alone, catalogue, TIMES, [0.5, 1.0, 0.0, 0.0, *exemplar_cells(early, None, None)])
    assert alone.exemplars[slot.number] == [early, None, None]


@pytest.mark.parametrize(
    ("cells", "value"),
    [
        ([[2.0, 0.0, 0.0], [3.0, 0.0, 0.0]], 5.0),
        ([[0.0, 7.0, 10.0], [1.0, 9.0, 20.0]], 10.0),
        ([[1.0, 9.0, 20.0], [0.0, 7.0, 10.0]], 10.0),
        ([[2.0, 5.0, GONE]], None),
        ([], None),
    ],
)
def test_a_gauge_is_the_latest_set_and_what_each_has_moved(
    catalogue: Catalogue, cells: list[list[float]], value: float | None
) -> None:
    sums = Sums(catalogue)
    for process in cells:
        add(sums, catalogue, GAUGE, process)
    add(sums, catalogue, GAUGE, [100.0, 100.0, 100.0], live=False)
    assert sums.gauge(catalogue.slot(GAUGE, ()).number) == value


def test_a_series_of_this_process_is_added_to_those_of_others(catalogue: Catalogue) -> None:
    sums = Sums(catalogue)
    add(sums, catalogue, COUNTER, [2.0], key=("a", "b"))
    for spec, key, cells in (
        (COUNTER, ("a", "b"), [1.0]),
        (GAUGE, (), [1.0, 4.0, 9.0]),
        (TIMES, (), [1.0, 1.0, 0.0, 0.0, *exemplar_cells(None, None, None)]),
    ):
        sums.add_series(catalogue.slot(spec, key), memoryview(array("d", cells)))
    assert [total for _, total in sums.counter_values()] == [3.0]
    assert [figures for _, figures in sums.histogram_values()] == [[1.0, 1.0, 0.0, 0.0]]
    assert sums.gauge(0) == 5.0


def test_a_row_from_a_file_is_the_tables_own_where_it_is_the_same() -> None:
    read = MetricSpec(m.ERRORS.name, m.ERRORS.kind, "", "old words", m.ERRORS.attributes, m.ERRORS.buckets)
    assert known_spec(read) is m.ERRORS
    other = MetricSpec(m.ERRORS.name, m.ERRORS.kind, "", "", (*m.ERRORS.attributes, "more"), m.ERRORS.buckets)
    assert known_spec(other) is other


def test_of_two_exemplars_the_later_is_kept() -> None:
    one, other = Exemplar(1, 1, 1, 10.0), Exemplar(2, 2, 2, 20.0)
    assert (later(one, other), later(other, one)) == (other, other)
    assert (later(None, one), later(one, None), later(None, None)) == (one, one, None)
