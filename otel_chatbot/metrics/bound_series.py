"""Series that are looked up once for each kind of event: requests, commands and operations come in few kinds, and often.

Fed by the instrumentations, each with a table of its own from what makes a kind to the series in which it counts.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final, TypeVar

from .series import OVERFLOW_KEY, Series

_MOST: Final = 4096
"""Kinds that one table remembers."""
_Kind = TypeVar("_Kind", bound=Hashable)
_Figures = TypeVar("_Figures", bound=tuple[Series, ...])


def keep(table: dict[_Kind, _Figures], kind: _Kind, figures: _Figures) -> _Figures:
    """Remember the series of a kind, and return them. Not so one beyond the series limit: each event of it counts as dropped."""
    if len(table) < _MOST and all(series.key is not OVERFLOW_KEY for series in figures):
        table[kind] = figures
    return figures
