"""Replaces methods of other libraries by ours, together with other tools that do the same.

Used by `logs.sink` and the instrumentations. A replacement wraps the current method. If another tool has wrapped our
replacement meanwhile, it stays there: we find it again inside of the tool's wrapper, and do not put it in twice.
"""

from __future__ import annotations

import contextlib
import functools
from collections import deque
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any, Final, NamedTuple

Method = Callable[..., Any]

_MOST: Final = 200
"""How many objects are searched for the methods that they wrap."""


class _Done(NamedTuple):
    original: Any
    replacement: Method
    make: Callable[[Method], Method]


class Patches:
    """The methods that one part of the package has replaced, so that `restore` can put them back."""

    def __init__(self) -> None:
        self._done: dict[tuple[type, str], _Done] = {}

    def wrap(self, owner: type, name: str, make: Callable[[Method], Method]) -> None:
        """Replace a method that the class itself defines by `make(method)`; inherited or absent ones are left alone.

        If ours is there already, perhaps inside of other wrappers, nothing happens.
        """
        present = vars(owner).get(name)
        if present is None or self.holds(owner, name) or any(done.replacement is present for done in self._done.values()):
            return
        replacement = functools.wraps(present)(make(present if type(present) is FunctionType else _bound_late(present)))
        setattr(owner, name, replacement)
        self._done[owner, name] = _Done(present, replacement, make)

    def replacement(self, owner: type, name: str) -> Method | None:
        """Our method in place of this one; None if there is none."""
        done = self._done.get((owner, name))
        return None if done is None else done.replacement

    def holds(self, owner: type, name: str) -> bool:
        """Whether calls of this method pass through ours."""
        done = self._done.get((owner, name))
        return done is not None and wraps(vars(owner).get(name), done.replacement)

    @contextlib.contextmanager
    def lifted(self, owner: type, name: str) -> Iterator[None]:
        """A block in which another tool replaces or restores this method. If ours is the outermost, it stays the outermost."""
        done = self._done.get((owner, name))
        if done is None or vars(owner).get(name) is not done.replacement:
            yield
            return
        setattr(owner, name, done.original)
        del self._done[owner, name]
        try:
            yield
        finally:
            self.wrap(owner, name, done.make)

    def restore(self) -> None:
        """Put the methods back. Where another tool has wrapped ours, the wrapper stays and calls us as before."""
        for (owner, name), done in reversed(list(self._done.items())):
            if vars(owner).get(name) is done.replacement:
                setattr(owner, name, done.original)
            if not self.holds(owner, name):
                del self._done[owner, name]


def _bound_late(wrapper: Any) -> Method:
    """A function for a wrapper that is not a function (wrapt's, say). It binds the instance at each call, as Python does."""
    if not hasattr(type(wrapper), "__get__"):
        return lambda _self, *args, **kwargs: wrapper(*args, **kwargs)
    return lambda self, *args, **kwargs: wrapper.__get__(self, type(self))(*args, **kwargs)


def wraps(outer: Any, inner: Method) -> bool:
    """Whether `inner` is `outer`, or `outer` finally calls `inner`, as far as wrappers show what they wrap."""
    seen: set[int] = set()
    waiting = deque([outer])
    while waiting and len(seen) < _MOST:
        wrapper = waiting.popleft()
        if wrapper is inner:
            return True
        if id(wrapper) not in seen:
            seen.add(id(wrapper))
            waiting += [found for found in _wrapped(wrapper) if callable(found) and not isinstance(found, type)]
    return False


def _wrapped(wrapper: Any) -> Iterator[Any]:
    """The objects in a wrapper: by functools.wraps or wrapt, as a partial or bound method, in its closure or defaults."""
    for name in ("__wrapped__", "func", "__func__", "__self__"):
        held = None
        with contextlib.suppress(Exception):  # a foreign object's own look-up of attributes raised: it holds nothing for us
            held = getattr(wrapper, name, None)
        yield held
    if type(wrapper) is FunctionType:
        for cell in wrapper.__closure__ or ():
            with contextlib.suppress(ValueError):  # an empty cell
                yield cell.cell_contents
        yield from wrapper.__defaults__ or ()
        yield from (wrapper.__kwdefaults__ or {}).values()
    else:
        yield from list(getattr(wrapper, "__dict__", {}).values())
