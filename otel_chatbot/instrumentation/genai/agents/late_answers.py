"""Runs whose answers are read after their method has returned: llama-index's chat engines read a stream in a thread or a task.

Fed by the rows of `genai.agents.llama_index`; feeds `genai.agents.run`. A run ends when its answer has been read, and its span is
the current one in the thread that reads: the model is asked there. Of the context, the thread gets no more than that.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final

from ...common.patching import Method
from . import run
from .run import Describe, Ending, Run

_READING: Final = "_otel_chatbot_reading"
"""The attribute of an answer that is read by the library's own thread or task: who reads it. It cannot be hashed."""


class _Reading:
    """A run whose answer is read after its method has returned. Used as a block around the method."""

    def __init__(self, one: Run) -> None:
        self.run = one
        self.goes_on = False
        """Whether there is an answer that is read later; its end is the run's."""
        self._outer = _making.get()

    def __enter__(self) -> None:
        _making.set(self)
        self.run.__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.run.__exit__(kind, error, trace)
        _making.set(self._outer)
        if error is not None or not self.goes_on:
            self.run.end(error)


_making: ContextVar[_Reading | None] = ContextVar("otel_chatbot_streamed_chat", default=None)


def streamed(describe: Describe) -> Callable[[Method], Method]:
    """Make a method that returns an answer which the library reads in a thread of its own."""

    def make(original: Method) -> Method:
        def stream_chat(self: Any, *args: Any, **kwargs: Any) -> Any:
            one = run.begin(describe, self, args, kwargs)
            if one is None:
                return original(self, *args, **kwargs)
            with _Reading(one):
                return original(self, *args, **kwargs)

        return stream_chat

    return make


def streamed_async(describe: Describe) -> Callable[[Method], Method]:
    """As `streamed`, of an asynchronous method, whose answer a task reads."""

    def make(original: Method) -> Method:
        async def astream_chat(self: Any, *args: Any, **kwargs: Any) -> Any:
            one = run.begin(describe, self, args, kwargs)
            if one is None:
                return await original(self, *args, **kwargs)
            with _Reading(one):
                return await original(self, *args, **kwargs)

        return astream_chat

    return make


def making(original: Method) -> Method:
    """The method that makes an answer: it belongs to the run in which it is made."""

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807 - the method's name
        original(self, *args, **kwargs)
        reading = _making.get()
        if reading is not None and not reading.goes_on:
            reading.goes_on = True
            vars(self)[_READING] = reading

    return __init__


def reading(original: Method) -> Method:
    """The method that reads an answer to its end, in a thread: with it ends the run."""

    def write(self: Any, *args: Any, **kwargs: Any) -> Any:
        found = vars(self).pop(_READING, None)
        if found is None:
            return original(self, *args, **kwargs)
        with Ending(found.run), found.run.elsewhere():
            return original(self, *args, **kwargs)

    return write


def reading_async(original: Method) -> Method:
    """As `reading`, in a task, which has the run's context from its beginning."""

    async def awrite(self: Any, *args: Any, **kwargs: Any) -> Any:
        found = vars(self).pop(_READING, None)
        if found is None:
            return await original(self, *args, **kwargs)
        with Ending(found.run):
            return await original(self, *args, **kwargs)

    return awrite
