"""Tells whether a library was imported before it is instrumented, and finds living objects of its classes.

Used by the instrumentations, which also take `Patches` from here (it is `_patching.Patches`).
"""

from __future__ import annotations

import gc
import sys
from typing import Any

from ..._patching import Method, Patches

__all__ = ["Method", "Patches", "being_imported", "imported_before", "living"]


def imported_before(library: str) -> bool:
    """Whether a library is imported already, so that objects of its classes may exist; False while it is being imported."""
    return library in sys.modules and not being_imported(library)


def being_imported(module: str) -> bool:
    """Whether a module is being imported at this moment."""
    # The import system's own mark, still set when an import hook runs (importlib._bootstrap, _load_unlocked).
    return bool(getattr(getattr(sys.modules.get(module), "__spec__", None), "_initializing", False))


def living(classes: tuple[type, ...], without: tuple[type, ...] = ()) -> list[Any]:
    """The living objects of these classes and their subclasses, except those of the classes `without` and their subclasses."""
    wanted = _family(classes) - _family(without)
    return [candidate for candidate in gc.get_objects() if type(candidate) in wanted]


def _family(classes: tuple[type, ...]) -> set[type]:
    found = set(classes)
    for cls in classes:
        found |= _family(tuple(cls.__subclasses__()))
    return found
