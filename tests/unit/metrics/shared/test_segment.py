"""Cells in memory: all zero, apart from each other, and one word of why they are not shared."""

from __future__ import annotations

from otel_chatbot.metrics.shared.segment import MemorySegment
from otel_chatbot.semconv import metrics as m


def test_cells_are_as_many_as_wanted_zero_writable_and_apart_from_others() -> None:
    segment = MemorySegment()
    one, other = segment.allocate(m.ERRORS, (None,), 3), segment.allocate(m.ERRORS, (None,), 3)
    one[2] = 1.5
    assert (one.format, one.tolist(), other.tolist()) == ("d", [0.0, 0.0, 1.5], [0.0, 0.0, 0.0])


def test_why_figures_are_not_shared_is_told_once() -> None:
    segment = MemorySegment("the disk is full")
    assert [segment.complaint(), segment.complaint()] == ["the disk is full", ""]
    assert MemorySegment().complaint() == ""
