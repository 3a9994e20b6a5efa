"""The state of the terminal, which keys change: the active list, its order, the chosen row, the open trace.

Fed by `ui.top.keys`; feeds `ui.top.view`. Nothing here knows a terminal or a store.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

Json = dict[str, Any]
WINDOWS: Final = ((300, "the last 5 minutes"), (3600, "the last hour"), (86_400, "the last day"), (0, "since the start"))
"""The times that can be chosen, in seconds and in words: those of the page "Now"."""
TURNS, ERRORS = "turns", "errors"
TURN_KEYS: Final = {"t": "start", "d": "ms", "o": "tokens", "c": "cost", "f": "failed"}
"""Keys that sort the turns, each by one field, the largest first."""
ERROR_KEYS: Final = {"t": "last", "n": "count"}
"""The same for the errors."""


@dataclass(frozen=True)
class Seen:
    """The data on the screen: figures, turns, errors, and the open trace."""

    figures: list[Json] = field(default_factory=list)
    turns: list[Json] = field(default_factory=list)
    errors: list[Json] = field(default_factory=list)
    trace: Json | None = None
    trouble: str = ""
    """The reason if the data could not be renewed."""


@dataclass(frozen=True)
class State:
    """The choices that were made by keys."""

    window: int = 1
    focus: str = TURNS
    turn_order: str = "t"
    error_order: str = "t"
    row: int = 0
    held: str = ""
    """The name of the chosen row: it stays chosen if new rows come above it. Empty: the first row."""
    trace: str = ""
    scroll: int = 0
    ended: bool = False

    @property
    def seconds(self) -> int:
        """The length of the time that is shown; 0: since the start."""
        return WINDOWS[self.window][0]


def ordered(state: State, seen: Seen) -> tuple[list[Json], list[Json]]:
    """The turns and the errors in the chosen order."""
    by_turn, by_error = TURN_KEYS[state.turn_order], ERROR_KEYS[state.error_order]
    turns = sorted(seen.turns, key=lambda one: (_weight(one, by_turn), one["start"]), reverse=True)
    return turns, sorted(seen.errors, key=lambda one: (one[by_error], one["last"]), reverse=True)


def _weight(turn: Json, by: str) -> float:
    return float(turn["tokens_in"] + turn["tokens_out"] if by == "tokens" else turn[by])


def name(row: Json) -> str:
    """The name that identifies a row."""
    return str(row["trace"]) if "start" in row else f"{row['kind']} {row['place']} {row['signal']}"


def place(state: State, rows: list[Json]) -> int:
    """The position of the chosen row; if that row is gone, the position where it was last."""
    for at, row in enumerate(rows):
        if state.held and name(row) == state.held:
            return at
    return max(0, min(state.row if state.held else 0, len(rows) - 1))


def pressed(state: State, key: str, seen: Seen) -> State:
    """The state after a key."""
    if key in ("q", "end"):
        return replace(state, trace="", scroll=0) if state.trace and key == "q" else replace(state, ended=True)
    return _in_trace(state, key) if state.trace else _in_lists(state, key, seen)


def _in_lists(state: State, key: str, seen: Seen) -> State:
    turns, errors = ordered(state, seen)
    rows = turns if state.focus == TURNS else errors
    if key in _STEPS:
        return _moved(state, rows, _STEPS[key])
    if key == "enter" and rows:
        return replace(state, trace=str(rows[place(state, rows)]["trace"] or ""), scroll=0)
    if key == "w":
        return replace(state, window=(state.window + 1) % len(WINDOWS))
    return replace(state, **_other_rows(state, key))


def _other_rows(state: State, key: str) -> dict[str, Any]:
    """The changes for a key that brings other rows to the top; empty for other keys."""
    anew = {"row": 0, "held": ""}
    if key == "tab":
        return {"focus": ERRORS if state.focus == TURNS else TURNS, **anew}
    if state.focus == TURNS and key in TURN_KEYS:
        return {"turn_order": key, **anew}
    return {"error_order": key, **anew} if state.focus == ERRORS and key in ERROR_KEYS else {}


_STEPS: Final = {"up": -1, "k": -1, "down": 1, "j": 1, "page up": -10, "page down": 10, "home": -1_000_000}


def _in_trace(state: State, key: str) -> State:
    if key in ("escape", "left", "backspace"):
        return replace(state, trace="", scroll=0)
    return replace(state, scroll=max(0, state.scroll + _STEPS.get(key, 0)))


def _moved(state: State, rows: list[Json], by: int) -> State:
    if not rows:
        return state
    at = max(0, min(place(state, rows) + by, len(rows) - 1))
    return replace(state, row=at, held=name(rows[at]) if at else "")
