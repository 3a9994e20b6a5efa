"""track_time, count_calls and track_errors on plain, generator, async and async generator functions."""

from __future__ import annotations

import asyncio
import inspect
import time

import pytest
from support.metrics import _fresh_metrics, unused  # noqa: F401 - one of them is an autouse fixture

import otel_chatbot as o

PAUSE = 0.02


def plain(fail: bool = False) -> list[int]:
    time.sleep(PAUSE)
    if fail:
        raise KeyError("missing")
    return [1, 2]


def generator(fail: bool = False):
    yield 1
    time.sleep(PAUSE)
    if fail:
        raise KeyError("missing")
    yield 2


async def coroutine(fail: bool = False) -> list[int]:
    await asyncio.sleep(PAUSE)
    if fail:
        raise KeyError("missing")
    return [1, 2]


async def async_generator(fail: bool = False):
    yield 1
    await asyncio.sleep(PAUSE)
    if fail:
        raise KeyError("missing")
    yield 2


FUNCTIONS = [plain, generator, coroutine, async_generator]


def run(function, **arguments) -> list[int]:
    """Call a function of any of the four kinds and take all that it gives."""

    async def take() -> list[int]:
        return [item async for item in result]

    result = function(**arguments)
    if inspect.isasyncgen(result):
        return asyncio.run(take())
    return list(asyncio.run(result) if inspect.iscoroutine(result) else result)


def kind(function) -> list[bool]:
    return [check(function) for check in (inspect.isgeneratorfunction, inspect.iscoroutinefunction, inspect.isasyncgenfunction)]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_a_decorated_function_stays_what_it_was(function) -> None:
    histogram, counter = o.Histogram(unused()), o.Counter(unused())
    decorated = o.track_time(histogram)(o.count_calls(counter)(o.track_errors(counter)(function)))
    assert kind(decorated) == kind(function)
    assert (decorated.__name__, decorated.__wrapped__.__name__) == (function.__name__, function.__name__)
    assert run(decorated) == [1, 2]
    with pytest.raises(KeyError, match="missing"):
        run(decorated, fail=True)
    assert histogram.get()["count"] == 2
    assert counter.get() == 2 + 1


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_the_time_runs_to_the_end_of_a_call_failed_or_not(function) -> None:
    histogram = o.Histogram(unused())
    timed = o.track_time(histogram)(function)
    run(timed)
    with pytest.raises(KeyError):
        run(timed, fail=True)
    assert histogram.get()["count"] == 2
    assert PAUSE * 2 * 0.9 <= histogram.get()["sum"] < PAUSE * 2 + 5


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_errors_go_to_errors_total_by_type_unless_a_counter_is_named(function) -> None:
    with pytest.raises(KeyError):
        run(o.track_errors()(function), fail=True)
    run(o.track_errors()(function))
    assert o.errors_total.get() == 1
    assert 'chatbot_errors_total{error_type="KeyError"} 1.0' in o.get_prometheus_metrics()


def test_a_generator_closed_early_is_timed_and_is_no_error() -> None:
    histogram, counter = o.Histogram(unused()), o.Counter(unused())
    steps = o.track_time(histogram)(o.track_errors(counter)(generator))()
    next(steps)
    assert histogram.get()["count"] == 0
    steps.close()
    assert histogram.get()["count"] == 1
    assert counter.get() == 0


def test_an_async_generator_closed_early_is_closed_within_and_is_no_error() -> None:
    histogram, counter = o.Histogram(unused()), o.Counter(unused())
    ended: list[str] = []

    @o.track_time(histogram)
    @o.track_errors(counter)
    async def numbers():
        try:
            yield 1
            yield 2
        finally:
            ended.append("closed")

    async def stop_early() -> None:
        steps = numbers()
        assert await anext(steps) == 1
        await steps.aclose()
        assert ended == ["closed"]

    asyncio.run(stop_early())
    assert (histogram.get()["count"], counter.get()) == (1, 0)


def test_a_cancelled_task_is_timed_and_is_no_error() -> None:
    histogram, counter = o.Histogram(unused()), o.Counter(unused())

    @o.track_time(histogram)
    @o.track_errors(counter)
    async def wait() -> None:
        await asyncio.sleep(60)

    async def cancel() -> None:
        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert (histogram.get()["count"], counter.get()) == (1, 0)


def test_what_is_sent_thrown_and_returned_passes_through_generators() -> None:
    @o.count_calls(o.Counter(unused()))
    def echo():
        got = yield "ready"
        try:
            yield got
        except ValueError as error:
            yield str(error)
        return "returned"

    steps = echo()
    assert next(steps) == "ready"
    assert steps.send("hello") == "hello"
    assert steps.throw(ValueError("thrown")) == "thrown"
    with pytest.raises(StopIteration) as stopped:
        next(steps)
    assert stopped.value.value == "returned"


def test_what_is_sent_and_thrown_passes_through_async_generators() -> None:
    @o.count_calls(o.Counter(unused()))
    async def echo():
        got = yield "ready"
        try:
            yield got
        except ValueError as error:
            yield str(error)

    async def talk() -> None:
        steps = echo()
        assert await anext(steps) == "ready"
        assert await steps.asend("hello") == "hello"
        assert await steps.athrow(ValueError("thrown")) == "thrown"
        with pytest.raises(StopAsyncIteration):
            await anext(steps)

    asyncio.run(talk())


def test_methods_keep_their_object() -> None:
    counter = o.Counter(unused())

    class Bot:
        name = "bot"

        @o.count_calls(counter)
        def who(self) -> str:
            return self.name

    assert Bot().who() == "bot"
    assert counter.get() == 1


def test_a_decorator_without_its_metric_is_told_at_the_definition() -> None:
    with pytest.raises(TypeError, match="@track_time"):
        o.track_time(plain)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="@track_errors"):
        o.track_errors(plain)  # type: ignore[arg-type]
