"""Decorators that time, count and watch functions: plain, generator, async and async generator functions.

Fed by the application's calls; feeds the metrics that the application names. A decorated function keeps its kind,
and its result and its exceptions pass through unchanged. A generator is timed from its first step to its last.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from .._clock import perf_counter
from ..semconv.attributes import ERROR_TYPE

if TYPE_CHECKING:
    from .instruments import Counter, Histogram

_F = TypeVar("_F", bound=Callable[..., Any])


def track_time(histogram: Histogram) -> Callable[[_F], _F]:
    """Observe how long each call takes, in seconds, failed calls too."""
    _needs(histogram, "observe", "track_time(histogram)")
    return _around(lambda: _Timed(histogram))


def count_calls(counter: Counter) -> Callable[[_F], _F]:
    """Count the calls."""
    _needs(counter, "inc", "count_calls(counter)")
    return _around(lambda: _Counted(counter))


def track_errors(counter: Counter | None = None) -> Callable[[_F], _F]:
    """Count the calls that end with an exception, by its type where the counter has such an attribute.

    `counter` is `errors_total` by default. The exceptions that end a generator or a task early are not errors.
    """
    if counter is None:
        from .chatbot import errors_total

        counter = errors_total
    _needs(counter, "inc", "track_errors() or track_errors(counter)")
    watched = counter
    return _around(lambda: _Watched(watched))


class _Timed(AbstractContextManager[None]):
    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram
        self._start = perf_counter()

    def __exit__(self, *_: object) -> None:
        self._histogram.observe(perf_counter() - self._start)


class _Counted(AbstractContextManager[None]):
    def __init__(self, counter: Counter) -> None:
        counter.inc()

    def __exit__(self, *_: object) -> None:
        """Do nothing at the end of a call."""


class _Watched(AbstractContextManager[None]):
    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None or not issubclass(kind, Exception):
            return
        spec = getattr(self._counter, "spec", None)
        if spec is not None and ERROR_TYPE in spec.attributes:
            self._counter.inc(1, {ERROR_TYPE: kind.__qualname__})
        else:
            self._counter.inc()


def _needs(metric: object, method: str, usage: str) -> None:
    if not callable(getattr(metric, method, None)):
        raise TypeError(f"{metric!r} is not a metric with `{method}`; write @{usage}")


_Enter = Callable[[], AbstractContextManager[None]]


def _around(enter: _Enter) -> Callable[[_F], _F]:
    """A decorator that runs each call inside what `enter` returns."""

    def decorate(function: _F) -> _F:
        if inspect.isasyncgenfunction(function):
            wrapper: Callable[..., Any] = _async_generator(function, enter)
        elif inspect.iscoroutinefunction(function):
            wrapper = _coroutine(function, enter)
        elif inspect.isgeneratorfunction(function):
            wrapper = _generator(function, enter)
        else:
            wrapper = _plain(function, enter)
        return functools.wraps(function)(wrapper)  # type: ignore[return-value]

    return decorate


def _plain(function: Callable[..., Any], enter: _Enter) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        with enter():
            return function(*args, **kwargs)

    return call


def _generator(function: Callable[..., Any], enter: _Enter) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        with enter():
            return (yield from function(*args, **kwargs))

    return call


def _coroutine(function: Callable[..., Any], enter: _Enter) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        with enter():
            return await function(*args, **kwargs)

    return call


def _async_generator(function: Callable[..., Any], enter: _Enter) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        # What `yield from` does, which async generators lack (PEP 380, PEP 525).
        with enter():
            steps = function(*args, **kwargs)
            try:
                item = await anext(steps)
                while True:
                    try:
                        sent = yield item
                    except GeneratorExit:
                        raise
                    except BaseException as error:
                        item = await steps.athrow(error)
                    else:
                        item = await steps.asend(sent)
            except StopAsyncIteration:
                return
            finally:
                await steps.aclose()

    return call
