"""Methods of others replaced beside other tools, each of which wraps in its own way: all go on working, ours once."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import wrapt

from otel_chatbot._patching import Patches

Tool = Callable[[type, str, list[str]], None]


class Target:
    def call(self, word: str) -> str:
        """Say a word."""
        return f"said {word}"


@pytest.fixture
def target() -> Iterator[type[Target]]:
    before = Target.call
    yield Target
    Target.call = before  # type: ignore[method-assign]


def counting(heard: list[str]) -> Callable[[Any], Any]:
    def make(original: Any) -> Any:
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            heard.append("ours")
            return original(self, *args, **kwargs)

        return call

    return make


def by_a_bare_closure(owner: type, name: str, heard: list[str]) -> None:
    """As Sentry does: a function that knows the old one, and says so nowhere."""
    old = getattr(owner, name)

    def patched(self: Any, *args: Any) -> Any:
        heard.append("theirs")
        return old(self, *args)

    setattr(owner, name, patched)


def by_wrapt(owner: type, name: str, heard: list[str]) -> None:
    """As New Relic and Datadog do: an object that asks which instance it is called for."""

    def wrapper(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        assert isinstance(instance, owner)
        heard.append("theirs")
        return wrapped(*args, **kwargs)

    wrapt.wrap_function_wrapper(owner, name, wrapper)


def by_functools(owner: type, name: str, heard: list[str]) -> None:
    old = getattr(owner, name)

    @functools.wraps(old)
    def patched(self: Any, *args: Any) -> Any:
        heard.append("theirs")
        return old(self, *args)

    setattr(owner, name, patched)


def by_a_default(owner: type, name: str, heard: list[str]) -> None:
    old = getattr(owner, name)

    def patched(self: Any, word: str, _old: Any = old) -> Any:
        heard.append("theirs")
        return _old(self, word)

    setattr(owner, name, patched)


def by_an_object(owner: type, name: str, heard: list[str]) -> None:
    class Wrapper:
        def __init__(self, old: Any) -> None:
            self.old = old

        def __get__(self, instance: Any, kind: type) -> Any:
            return self if instance is None else functools.partial(self, instance)

        def __call__(self, instance: Any, word: str) -> Any:
            heard.append("theirs")
            return self.old(instance, word)

    setattr(owner, name, Wrapper(getattr(owner, name)))


TOOLS = [by_a_bare_closure, by_wrapt, by_functools, by_a_default, by_an_object]


@pytest.mark.parametrize("tool", TOOLS)
def test_ours_stands_around_what_another_tool_has_put_there_before(tool: Tool, target: type[Target]) -> None:
    heard: list[str] = []
    tool(target, "call", heard)
    theirs = vars(target)["call"]
    patches = Patches()
    patches.wrap(target, "call", counting(heard))
    assert target().call("x") == "said x"
    assert heard == ["ours", "theirs"]
    patches.restore()
    assert vars(target)["call"] is theirs


@pytest.mark.parametrize("tool", TOOLS)
def test_ours_is_found_under_another_tools_and_not_put_in_twice(tool: Tool, target: type[Target]) -> None:
    heard: list[str] = []
    patches = Patches()
    patches.wrap(target, "call", counting(heard))
    tool(target, "call", heard)
    tool(target, "call", heard)
    theirs = vars(target)["call"]
    for _ in range(2):
        patches.wrap(target, "call", counting(heard))
        assert patches.holds(target, "call")
        patches.restore()
        assert vars(target)["call"] is theirs
    patches.wrap(target, "call", counting(heard))
    assert target().call("x") == "said x"
    assert heard == ["theirs", "theirs", "ours"]


def test_ours_is_put_in_again_where_another_tool_has_put_back_what_it_found(target: type[Target]) -> None:
    heard: list[str] = []
    before = target.call
    patches = Patches()
    patches.wrap(target, "call", counting(heard))
    target.call = before  # type: ignore[method-assign]
    assert not patches.holds(target, "call")
    patches.wrap(target, "call", counting(heard))
    target().call("x")
    assert heard == ["ours"]


def test_a_replaced_method_looks_as_it_did(target: type[Target]) -> None:
    before = target.call
    Patches().wrap(target, "call", counting([]))
    assert inspect.isfunction(target.call)
    assert inspect.signature(target.call) == inspect.signature(before)
    for name in ("__name__", "__qualname__", "__module__", "__doc__"):
        assert getattr(target.call, name) == getattr(before, name)


def test_an_inherited_or_absent_method_is_left_alone() -> None:
    class Below(Target):
        pass

    patches = Patches()
    patches.wrap(Below, "call", counting([]))
    patches.wrap(Below, "nothing", counting([]))
    assert {"call", "nothing"}.isdisjoint(vars(Below))


@pytest.mark.parametrize("theirs", [by_a_bare_closure, by_wrapt])
def test_ours_stays_the_outermost_where_a_tool_is_let_below_it(target: type[Target], theirs: Tool) -> None:
    heard: list[str] = []
    patches = Patches()
    patches.wrap(target, "call", counting(heard))
    with patches.lifted(target, "call"):
        theirs(target, "call", heard)
    assert target().call("yes") == "said yes"
    assert heard == ["ours", "theirs"]
    patches.restore()
    target().call("no")
    assert heard == ["ours", "theirs", "theirs"]


def test_a_tool_outside_of_ours_is_left_where_it_is(target: type[Target]) -> None:
    heard: list[str] = []
    patches = Patches()
    patches.wrap(target, "call", counting(heard))
    by_a_bare_closure(target, "call", heard)
    with patches.lifted(target, "call"):
        pass
    target().call("yes")
    assert heard == ["theirs", "ours"]
