"""The metrics as a process finds them at its start, for tests that count by hand: names of their own, nothing active."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from otel_chatbot import _wiring
from otel_chatbot.metrics import deduplication, instruments
from otel_chatbot.metrics.record import AUTOMATIC
from otel_chatbot.metrics.store import STORE
from otel_chatbot.semconv import metrics as m

_numbers = itertools.count(1)


def unused(stem: str = "test.metric") -> str:
    """An OpenTelemetry name that no other test of this process has."""
    return f"{stem}.n{next(_numbers)}"


@contextmanager
def fresh_metrics() -> Iterator[None]:
    """The sixteen at 0 and without automatic sources, no scope, no set-up at first use; all put back at the end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_wiring.Configured, "done", True)
        patch.setattr(AUTOMATIC, "active", set())
        patch.setattr(AUTOMATIC, "sources", {})
        patch.setattr(AUTOMATIC, "by_hand", set())
        patch.setattr(instruments, "_warned", set())
        token = deduplication._scope.set(None)
        _zero()
        yield
        _zero()
        deduplication._scope.reset(token)


def _zero() -> None:
    for spec in m.CHATBOT:
        for series in list(STORE.instrument(spec).series.values()):
            series.reset()


@pytest.fixture(autouse=True)
def _fresh_metrics() -> Iterator[None]:
    """For the test modules that import it."""
    with fresh_metrics():
        yield


def dropped(reason: str) -> float:
    """How many items of the metrics signal were dropped for a reason so far, in this process."""
    return STORE.instrument(m.TELEMETRY_DROPPED).at(("metrics", reason)).read()[0]
