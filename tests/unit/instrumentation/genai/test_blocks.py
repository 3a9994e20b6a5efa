"""Blocks in which a model is asked: the span inside, what is running, and a block that is left in another place."""

from __future__ import annotations

import contextvars

from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext

from otel_chatbot.instrumentation.genai import blocks
from otel_chatbot.instrumentation.genai.blocks import Block


def block(number: int = 0) -> Block:
    made = Block()
    made.span = NonRecordingSpan(SpanContext(number, number, is_remote=False)) if number else None
    return made


def test_inside_the_calls_span_is_the_current_one_and_outside_again_what_was_before() -> None:
    outer, inner, before = block(1), block(2), trace.get_current_span()
    outer.enter()
    assert blocks.entered() is blocks.current() is outer
    inner.enter()
    assert (blocks.current(), trace.get_current_span()) == (inner, inner.span)
    inner.leave_block()
    assert (blocks.current(), trace.get_current_span()) == (outer, outer.span)
    outer.leave_block()
    assert (blocks.entered(), blocks.current(), trace.get_current_span()) == (None, None, before)


def test_a_call_without_a_span_runs_too_and_leaves_the_span_that_is_there() -> None:
    silent, before = block(), trace.get_current_span()
    silent.enter()
    assert (blocks.current(), trace.get_current_span()) == (silent, before)
    silent.leave_block()
    assert blocks.current() is None


def test_a_block_that_is_left_in_another_place_is_left_here_when_somebody_asks() -> None:
    streamed, before = block(1), trace.get_current_span()
    streamed.enter()
    contextvars.Context().run(streamed.leave_block)
    assert blocks.entered() is streamed
    assert blocks.current() is None
    assert (blocks.entered(), trace.get_current_span()) == (None, before)


def test_a_block_below_one_that_was_left_is_the_one_that_runs() -> None:
    outer, inner = block(1), block(2)
    outer.enter()
    inner.enter()
    contextvars.Context().run(inner.leave_block)
    with trace.use_span(NonRecordingSpan(SpanContext(3, 3, is_remote=False))):
        assert blocks.current() is outer, "the inner one cannot be undone under somebody else's span"
    assert blocks.current() is outer
    outer.leave_block()
    assert blocks.current() is None


def test_attempts_that_join_a_call_are_below_its_span_and_find_no_call() -> None:
    call = block(7)
    with call.around():
        assert trace.get_current_span() is call.span
        assert blocks.current() is None
    with block().around():
        assert trace.get_current_span() is not call.span
