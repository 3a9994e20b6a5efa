"""The names for which the distribution waits: each is followed, and nothing is followed that it does not wait for."""

from __future__ import annotations

import sys

from otel_chatbot.instrumentation.genai import boundaries, hooks, libraries

WAITED_FOR = {name for table in vars(libraries).values() if isinstance(table, tuple) for name in table}


def test_each_library_that_is_waited_for_is_followed_and_the_others_are_of_the_standard_library() -> None:
    assert {*hooks._FOLLOW} >= WAITED_FOR
    others = {*hooks._FOLLOW} - WAITED_FOR
    assert {name.partition(".")[0] for name in others} <= sys.stdlib_module_names


def test_a_library_is_waited_for_once() -> None:
    assert len({*libraries.AI_LIBRARIES}) == len(libraries.AI_LIBRARIES)


def test_what_may_be_switched_off_by_its_name_is_a_library_that_is_waited_for() -> None:
    assert {*libraries.AI_CLIENTS} < {*libraries.AI_LIBRARIES}


def test_every_outer_method_of_the_table_is_of_a_library_that_is_waited_for() -> None:
    assert {row.library for row in boundaries.ROWS} <= WAITED_FOR
