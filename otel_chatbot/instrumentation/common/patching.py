"""Methods of other libraries replaced by ours and put back.

Fed by the instrumentations of Redis, cachelib and the MongoDB client; feeds nothing but the libraries' classes.
"""

from __future__ import annotations

import functools
import gc
import sys
from collections.abc import Callable
from typing import Any

Method = Callable[..., Any]


class Patches:
    """The methods that one instrumentation has replaced, so that `restore` can put them back."""

    def __init__(self) -> None:
        self._done: list[tuple[Any, str, Method, Method]] = []

    def wrap(self, owner: Any, name: str, make: Callable[[Method], Method]) -> None:
        """Replace a method that the class (or the module) itself defines by `make(method)`; inherited or absent ones are left alone."""
        original = vars(owner).get(name)
        if original is None or any(done[3] is original for done in self._done):
            return
        replacement = functools.wraps(original)(make(original))
        setattr(owner, name, replacement)
        self._done.append((owner, name, original, replacement))

    def replacement(self, owner: type, name: str) -> Method | None:
        """Our method in place of this one; None where there is none."""
        return next((done[3] for done in self._done if done[:2] == (owner, name)), None)

    def restore(self) -> None:
        """Put the methods back, but not over what somebody else has wrapped around ours meanwhile."""
        for owner, name, original, replacement in reversed(self._done):
            if vars(owner).get(name) is replacement:
                setattr(owner, name, original)
        self._done.clear()


def imported_before(library: str) -> bool:
    """Whether a library was imported before now, so that objects of its classes may exist; not while it is being imported."""
    return library in sys.modules and not being_imported(library)


def being_imported(module: str) -> bool:
    """Whether a module is being imported just now."""
    # The import system's own mark, still set when an import hook runs (importlib._bootstrap, _load_unlocked).
    return bool(getattr(getattr(sys.modules.get(module), "__spec__", None), "_initializing", False))


def living(classes: tuple[type, ...], without: tuple[type, ...] = ()) -> list[Any]:
    """The objects of these classes and their subclasses that are alive, less those of the classes `without` and theirs."""
    wanted = _family(classes) - _family(without)
    return [candidate for candidate in gc.get_objects() if type(candidate) in wanted]


def _family(classes: tuple[type, ...]) -> set[type]:
    found = set(classes)
    for cls in classes:
        found |= _family(tuple(cls.__subclasses__()))
    return found
