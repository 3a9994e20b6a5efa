"""A method whose call is a run of a tool, an agent or a chain; which modules of others follow these runs already.

Fed by the tables of `genai.agents.langchain` and `.llama_index`; feeds the libraries' classes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

from ...common.patching import Method, Patches


class Row(NamedTuple):
    """A method of a class of a module, and what makes ours of it."""

    module: str
    owner: str
    method: str
    make: Callable[[Method], Method]


def wrap(rows: tuple[Row, ...], module: ModuleType, patches: Patches) -> None:
    """Replace the methods of a module that is imported."""
    for row in rows:
        owner = vars(module).get(row.owner)  # not by `getattr`, at which a module may import more
        if row.module == module.__name__ and isinstance(owner, type):
            patches.wrap(owner, row.method, row.make)


def others_follow(modules: tuple[str, ...]) -> bool:
    """Whether another tool's instrumentation of a library is loaded."""
    return any(name in sys.modules for name in modules)
