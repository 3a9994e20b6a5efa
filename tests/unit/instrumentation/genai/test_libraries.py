"""The names for which the distribution waits: each is followed, and nothing is followed that it does not wait for."""

from __future__ import annotations

from otel_chatbot.instrumentation.genai import boundaries, hooks
from otel_chatbot.instrumentation.genai.libraries import AI_CLIENTS, AI_LIBRARIES

STANDARD = "http.client"
"""Nearly every process has it: `standard_library` waits for its first request instead."""


def test_each_library_that_is_waited_for_is_followed_and_the_other_way_round() -> None:
    assert {*AI_LIBRARIES, STANDARD} == {*hooks._FOLLOW}
    assert len({*AI_LIBRARIES}) == len(AI_LIBRARIES)


def test_what_may_be_switched_off_by_its_name_is_a_library_that_is_waited_for() -> None:
    assert {*AI_CLIENTS} < {*AI_LIBRARIES}


def test_every_outer_method_of_the_table_is_of_a_library_that_is_waited_for() -> None:
    assert {row.library for row in boundaries.ROWS} <= {*AI_LIBRARIES}
