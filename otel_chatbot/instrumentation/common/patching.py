"""Whether a library was imported before it is instrumented, and which objects of its classes are alive; methods replaced.

Fed by the instrumentations of Redis, cachelib, the MongoDB client and AI clients; feeds nothing but the libraries' classes.
"""

from __future__ import annotations

import gc
import sys
from typing import Any

from ..._patching import Method, Patches

__all__ = ["Method", "Patches", "being_imported", "imported_before", "living"]


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
