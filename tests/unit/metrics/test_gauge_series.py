"""The series of gauges: what was moved and what was set, each for itself, and several moved at once."""

from __future__ import annotations

import threading

import pytest
from support.alone import Alone

from otel_chatbot.metrics import gauge_series
from otel_chatbot.metrics import series as series_module
from otel_chatbot.metrics.gauge_series import GONE, move_all
from otel_chatbot.semconv import metrics as m


@pytest.fixture
def alone() -> Alone:
    return Alone()


def test_a_gauge_keeps_what_was_moved_apart_from_what_was_set(alone, monkeypatch):
    monkeypatch.setattr(gauge_series, "_now", lambda: 1000.5)
    series = alone.store.gauge(m.DB_CONNECTIONS).bare()
    series.move(3)
    series.move(-1)
    assert series.read() == [2.0, 0.0, 0.0]
    series.set(7)
    assert series.read() == [0.0, 7.0, 1000.5]
    series.move(1)
    assert series.read() == [1.0, 7.0, 1000.5]
    series.put(4)
    assert series.read() == [4.0, 7.0, 0.0]


@pytest.mark.parametrize("record", [lambda gauge: gauge.move(2), lambda gauge: move_all([(gauge, 2)])])
def test_a_gauge_that_was_withdrawn_is_back_with_its_next_move(alone, record):
    series = alone.store.gauge(m.DB_CONNECTIONS).bare()
    series.withdraw()
    assert series.cells is None, "it has recorded nothing"
    series.set(7)
    series.withdraw()
    assert series.read()[2] == GONE
    record(series)
    assert (series.read()[0], series.read()[2]) == (2.0, 0.0)


def test_several_gauges_move_each_by_its_own_delta_and_a_still_one_takes_no_cells(alone):
    one, other, still = (alone.store.gauge(spec).bare() for spec in (m.DB_CONNECTIONS, m.ACTIVE_USERS, m.CACHE_SIZE))
    move_all([(one, 1.0), (other, -2.0), (still, 0.0)])
    assert (one.read()[0], other.read()[0], still.cells) == (1.0, -2.0, None)


def test_after_a_fork_no_gauge_waits_for_a_lock_that_a_thread_of_the_parent_held(alone, monkeypatch):
    monkeypatch.setattr(series_module.Shared, "lock", threading.RLock())  # this process's own gauges keep theirs
    series = alone.store.gauge(m.DB_CONNECTIONS).bare()
    series.move(3)
    held, over, lock = threading.Event(), threading.Event(), series._lock

    def hold():
        with lock:
            held.set()
            over.wait(60)

    holding = threading.Thread(target=hold)
    holding.start()
    assert held.wait(60)
    alone.store.after_fork()
    series.move(1)
    move_all([(series, 1)])
    assert series.read()[0] == 2.0
    assert series._lock is alone.store.gauge(m.CACHE_SIZE).bare()._lock is not lock
    over.set()
    holding.join()
