"""A run lasts until its answer has been read, by a thread or a task of the library's, and holds the model calls made there."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from support.ai import AiWatch, watched

from otel_chatbot.instrumentation.common.patching import Patches
from otel_chatbot.instrumentation.genai.agents import late_answers
from otel_chatbot.instrumentation.genai.agents.run import Told
from otel_chatbot.semconv.attributes import GenAiRun

NAME = "invoke_workflow Engine"


def current_name() -> str:
    return getattr(trace.get_current_span(), "name", "")


class Answer:
    """As llama-index's: it is made in the engine's method, and read in a thread or a task that it begins."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.read_in: list[str] = []

    def write_response_to_history(self, may_go_on: threading.Event) -> None:
        may_go_on.wait(60)
        self.read_in.append(current_name())
        if self.error is not None:
            raise self.error

    async def awrite_response_to_history(self, may_go_on: asyncio.Event) -> None:
        await may_go_on.wait()
        self.read_in.append(current_name())


class Engine:
    def stream_chat(self, may_go_on: threading.Event, error: Exception | None = None) -> tuple[Answer, threading.Thread]:
        answer = Answer(error)
        thread = threading.Thread(target=answer.write_response_to_history, args=(may_go_on,))
        thread.start()
        return answer, thread

    async def astream_chat(self, may_go_on: asyncio.Event) -> tuple[Answer, asyncio.Task[None]]:
        answer = Answer()
        return answer, asyncio.create_task(answer.awrite_response_to_history(may_go_on))


class Other:
    def stream_chat(self, error: Exception | None = None) -> str:
        if error is not None:
            raise error
        return current_name()


def told(engine: Any, _args: Any, _kwargs: Any) -> Told:
    return Told(GenAiRun.WORKFLOW, type(engine).__name__)


@pytest.fixture
def watch() -> Iterator[AiWatch]:
    patches = Patches()
    for engine in (Engine, Other):
        patches.wrap(engine, "stream_chat", late_answers.streamed(told))
    patches.wrap(Engine, "astream_chat", late_answers.streamed_async(told))
    patches.wrap(Answer, "__init__", late_answers.making)
    patches.wrap(Answer, "write_response_to_history", late_answers.reading)
    patches.wrap(Answer, "awrite_response_to_history", late_answers.reading_async)
    with watched() as watching:
        yield watching
    patches.restore()


def test_a_run_ends_when_a_thread_has_read_its_answer_and_is_current_there(watch: AiWatch) -> None:
    may_go_on = threading.Event()
    answer, thread = Engine().stream_chat(may_go_on)
    assert (current_name(), watch.spans) == ("", [])
    may_go_on.set()
    thread.join()
    assert (answer.read_in, watch.span.name) == ([NAME], NAME)
    Answer().write_response_to_history(may_go_on)
    assert len(watch.spans) == 1, "an answer that is made elsewhere is of no run"


def test_a_run_ends_when_a_task_has_read_its_answer(watch: AiWatch) -> None:
    async def ask() -> list[str]:
        may_go_on = asyncio.Event()
        answer, task = await Engine().astream_chat(may_go_on)
        assert (current_name(), watch.spans) == ("", [])
        may_go_on.set()
        await task
        return answer.read_in

    assert asyncio.run(ask()) == [NAME]
    assert watch.span.name == NAME


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_goes_wrong_while_an_answer_is_read_is_told_by_its_class(watch: AiWatch) -> None:
    may_go_on = threading.Event()
    may_go_on.set()
    _, thread = Engine().stream_chat(may_go_on, LookupError("canary"))
    thread.join()
    assert (watch.span.attributes or {})["error.type"] == "LookupError"
    assert "canary" not in watch.span.to_json()


def test_where_no_answer_is_read_later_the_run_ends_with_its_method(watch: AiWatch) -> None:
    assert Other().stream_chat() == "invoke_workflow Other"
    with pytest.raises(LookupError):
        Other().stream_chat(LookupError())
    assert [(span.attributes or {}).get("error.type") for span in watch.spans] == [None, "LookupError"]
    assert vars(Answer()).keys() == {"error", "read_in"}, "an answer of nobody's"
