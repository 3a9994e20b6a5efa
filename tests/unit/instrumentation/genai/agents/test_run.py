"""A run is a span around what it does, whatever its method is: called, awaited, streamed, or begun and waited for elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import StatusCode
from support.ai import AiWatch, watched

from otel_chatbot.instrumentation.common.patching import Patches
from otel_chatbot.instrumentation.genai.agents import llama_index, run
from otel_chatbot.instrumentation.genai.agents.run import Told
from otel_chatbot.semconv.attributes import GenAiRun


class AskingError(Exception):
    """As langgraph leaves a run to ask a person."""


AskingError.__name__ = "GraphBubbleUp"


class Worker:
    name = "worker"

    def whole(self, error: BaseException | None = None) -> str:
        if error is not None:
            raise error
        return self.inside()

    def inside(self) -> str:
        return current_name()

    async def awaited(self) -> str:
        await asyncio.sleep(0)
        return current_name()

    def stream(self) -> Iterator[str]:
        yield current_name()
        yield current_name()

    async def stream_async(self) -> AsyncIterator[str]:
        yield current_name()
        yield current_name()

    def handled(self) -> asyncio.Task[str]:
        return asyncio.ensure_future(self.awaited_inside())

    async def awaited_inside(self) -> str:
        return current_name()


def current_name() -> str:
    return getattr(trace.get_current_span(), "name", "")


def told(worker: Any, _args: Any, _kwargs: Any) -> Told:
    return Told(GenAiRun.AGENT, worker.name)


NAME = "invoke_agent worker"
MAKERS: dict[str, Callable[[Any], Any]] = {
    "whole": run.whole(told), "inside": run.whole(told), "awaited": run.whole_async(told), "stream": run.stream(told),
    "stream_async": run.stream_async(told), "handled": llama_index.handled(told),
}  # fmt: skip


@pytest.fixture
def watch() -> Iterator[AiWatch]:
    patches = Patches()
    for name, make in MAKERS.items():
        patches.wrap(Worker, name, make)
    with watched() as watching:
        yield watching
    patches.restore()


def test_a_run_is_the_current_span_once_though_its_method_calls_another_of_the_same(watch: AiWatch) -> None:
    assert Worker().whole() == NAME
    assert watch.span.name == NAME
    assert dict(watch.span.attributes or {}) == {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "worker"}


def test_a_run_is_awaited(watch: AiWatch) -> None:
    assert asyncio.run(Worker().awaited()) == NAME
    assert watch.span.name == NAME


def test_between_two_values_of_a_stream_the_apps_own_span_is_the_current_one(watch: AiWatch) -> None:
    values = Worker().stream()
    assert (next(values), current_name(), next(values), current_name()) == (NAME, "", NAME, "")
    assert watch.spans == []
    assert list(values) == []
    assert watch.span.name == NAME


def test_a_stream_that_is_left_ends_its_run_without_a_failure(watch: AiWatch) -> None:
    values = Worker().stream()
    next(values)
    values.close()  # type: ignore[attr-defined]
    assert watch.span.status.status_code is StatusCode.UNSET


def test_an_asynchronous_stream_is_a_run(watch: AiWatch) -> None:
    async def read() -> list[str]:
        return [f"{value}, {current_name()}" async for value in Worker().stream_async()]

    assert asyncio.run(read()) == [f"{NAME}, "] * 2
    assert watch.span.name == NAME


def test_a_run_in_tasks_of_its_own_ends_with_them(watch: AiWatch) -> None:
    async def wait() -> str:
        task = Worker().handled()
        assert current_name() == ""
        assert watch.spans == []
        return await task

    assert asyncio.run(wait()) == NAME
    assert watch.span.name == NAME


@pytest.mark.parametrize(
    ("error", "kind"), [(LookupError("canary"), "LookupError"), (AskingError(), None), (KeyboardInterrupt(), None)]
)
def test_what_a_run_raises_is_the_apps_and_its_class_is_told_if_it_is_a_failure(
    watch: AiWatch, error: BaseException, kind: str | None
) -> None:
    with contextlib.suppress(LookupError, AskingError, KeyboardInterrupt):
        Worker().whole(error)
    assert (watch.span.attributes or {}).get("error.type") == kind
    assert (watch.span.status.status_code is StatusCode.ERROR) == (kind is not None)
    assert "canary" not in watch.span.to_json()
