"""Methods of other libraries replaced by ours, beside those of other tools, which do the same.

Fed by `logs.sink` and the instrumentations; feeds nothing but the libraries' classes. A replacement wraps what is there
now. One that others have wrapped meanwhile stays where it is: it is found again under theirs, and not put in twice.
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
"""So many objects are looked at for what they wrap."""


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

        Where ours is there already, below others' wrappers perhaps, nothing happens.
        """
        present = vars(owner).get(name)
        if present is None or self.holds(owner, name) or any(done.replacement is present for done in self._done.values()):
            return
        replacement = functools.wraps(present)(make(present if type(present) is FunctionType else _bound_late(present)))
        setattr(owner, name, replacement)
        self._done[owner, name] = _Done(present, replacement, make)

    def replacement(self, owner: type, name: str) -> Method | None:
        """Our method in place of this one; None where there is none."""
        done = self._done.get((owner, name))
        return None if done is None else done.replacement

    def holds(self, owner: type, name: str) -> bool:
        """Whether calls of this method come through ours."""
        done = self._done.get((owner, name))
        return done is not None and wraps(vars(owner).get(name), done.replacement)

    @contextlib.contextmanager
    def lifted(self, owner: type, name: str) -> Iterator[None]:
        """A block in which another tool replaces this method, or puts it back: ours, if it is the outermost, stays the outermost."""
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
        """Put the methods back, but not under what others have wrapped around ours: those stay and call us as before."""
        for (owner, name), done in reversed(list(self._done.items())):
            if vars(owner).get(name) is done.replacement:
                setattr(owner, name, done.original)
            if not self.holds(owner, name):
                del self._done[owner, name]


def _bound_late(wrapper: Any) -> Method:
    """A wrapper that is no function (wrapt's, say), called as Python calls it: it asks which instance it is called for."""
    if not hasattr(type(wrapper), "__get__"):
        return lambda _self, *args, **kwargs: wrapper(*args, **kwargs)
    return lambda self, *args, **kwargs: wrapper.__get__(self, type(self))(*args, **kwargs)


def wraps(outer: Any, inner: Method) -> bool:
    """Whether `inner` is `outer`, or is what `outer` calls in the end, as far as wrappers show what they wrap."""
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
    """What a wrapper holds: by functools.wraps or wrapt, as a partial, as a bound method, in its closure or its defaults."""
    for name in ("__wrapped__", "func", "__func__", "__self__"):
        with contextlib.suppress(Exception):  # somebody's own way to look up attributes: it has nothing for us
            yield getattr(wrapper, name, None)
    if type(wrapper) is FunctionType:
        for cell in wrapper.__closure__ or ():
            with contextlib.suppress(ValueError):  # an empty cell
                yield cell.cell_contents
        yield from wrapper.__defaults__ or ()
        yield from (wrapper.__kwdefaults__ or {}).values()
    else:
        yield from list(getattr(wrapper, "__dict__", {}).values())
