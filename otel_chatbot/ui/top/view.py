"""The screen: figures, turns and errors, or one trace, as Rich draws them into a terminal of any size.

Fed by `ui.top.state`; feeds `cli.top`. All that apps sent goes through `words.safe`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from . import trace as trace_view
from .state import ERRORS, TURNS, WINDOWS, Json, Seen, State, ordered, place
from .words import NONE, ago, clock, cost, count, duration, figure, safe

_CELL: Final = 34
"""Columns that one figure takes."""
_TURN_HEADS: Final = (
    ("t", "Started"),
    ("", "Request"),
    ("f", "Status"),
    ("", "Model"),
    ("d", "Time"),
    ("o", "Tokens"),
    ("c", "Cost"),
)
_ERROR_HEADS: Final = (("t", "Last"), ("n", "Count"), ("", "What"), ("", "Where"), ("", "App"))
_WIDE: Final = 72
"""From this width of the terminal on, the lists have all their columns."""
_LEFT_OUT: Final = frozenset({"Status", "Model", "Tokens", "Count", "App"})
"""The columns that a narrower terminal does not show."""
_NUMBERS: Final = frozenset({"Time", "Tokens", "Cost", "Count"})
_TEXTS: Final = frozenset({"Request", "What", "Where"})
Cells = Callable[[Json], list[Text]]
_HELP: Final = "↑↓ choose · Enter open its trace · Tab turns or errors · letters in brackets sort · w other time · q end"


def screen(state: State, seen: Seen, width: int, height: int, source: str) -> Group:
    """The whole screen, for so many columns and lines."""
    head = Text(
        f"otel-chatbot top · {WINDOWS[state.window][1]} · {safe(source)}", style="bold", no_wrap=True, overflow="ellipsis"
    )
    if seen.trouble:
        head = Text(safe(seen.trouble), style="bold red", no_wrap=True, overflow="ellipsis")
    if state.trace:
        return Group(head, *trace_view.lines(seen.trace, state, width, height - 2), trace_view.HELP)
    figures = _figures(seen.figures, width, max(2, height - 10))
    left = height - 2 - figures.row_count - 2  # the headings of both lists
    below = max(2, min(len(seen.errors), left // 3))
    turns, errors = ordered(state, seen)
    whys = _whys(seen.figures, left - below - max(3, len(turns)))
    above = max(1, left - below - len(whys))
    return Group(
        head,
        figures,
        *whys,
        _list(_TURN_HEADS, state.turn_order, _window(turns, state, TURNS, above), _turn, state.focus == TURNS, above, width),
        _list(
            _ERROR_HEADS, state.error_order, _window(errors, state, ERRORS, below), _error, state.focus == ERRORS, below, width
        ),
        Text(_HELP, style="dim", no_wrap=True, overflow="ellipsis"),
    )


def _figures(figures: list[Json], width: int, most: int) -> Table:
    """The figures in columns, in the page's order from top to bottom; at most `most` lines."""
    columns = max(1, width // _CELL)
    rows = min(most, -(-len(figures) // columns))
    table = Table.grid(padding=(0, 2))
    for _ in range(columns):
        table.add_column(width=min(_CELL, width) - 2, no_wrap=True)
    for row in range(rows):
        table.add_row(*(_figure(figures[at]) for at in range(row, min(len(figures), rows * columns), rows)))
    return table


def _figure(one: Json) -> Text:
    value = one["value"]
    bad = value is not None and ((one["unit"] == "health" and value < 1) or (one["title"] == "Errors" and value > 0))
    style = "bold red" if bad else "dim" if value is None else "bold"
    return Text.assemble((f"{safe(one['title']):<20}", "cyan"), (figure(value, one["unit"]), style))


def _whys(figures: list[Json], lines: int) -> list[Text]:
    """The reasons for empty figures, for as many as there is room for."""
    empty = [one for one in figures if one["value"] is None][: max(0, lines)]
    return [Text(f"{one['title']} {NONE} {one['empty']}", style="dim", no_wrap=True, overflow="ellipsis") for one in empty]


def _window(rows: list[Json], state: State, focus: str, lines: int) -> list[tuple[Json, bool]]:
    """The rows around the chosen one that there is room for, each with whether it is the chosen one."""
    if state.focus != focus:
        return [(row, False) for row in rows[:lines]]
    chosen = place(state, rows)
    first = max(0, min(chosen - lines // 2, len(rows) - lines))
    return [(row, at == chosen) for at, row in enumerate(rows[first : first + lines], first)]


def _list(
    heads: Sequence[tuple[str, str]],
    order: str,
    rows: list[tuple[Json, bool]],
    cells: Cells,
    focused: bool,
    lines: int,
    width: int,
) -> Table:
    """A list with its headings, filled up to so many lines."""
    table = Table(box=None, expand=True, pad_edge=False, header_style="bold" if focused else "dim")
    shown = [at for at, (_, title) in enumerate(heads) if width >= _WIDE or title not in _LEFT_OUT]
    for at in shown:
        key, title = heads[at]
        table.add_column(
            Text(f"{title}{f' [{key}]' if key else ''}{'▾' if key == order else ''}"),
            no_wrap=True, overflow="ellipsis", ratio=1 if title in _TEXTS else None, justify="right" if title in _NUMBERS else "left",
        )  # fmt: skip
    for row, chosen in rows:
        told = cells(row)
        table.add_row(*(told[at] for at in shown), style="reverse" if chosen else "")
    for _ in range(lines - len(rows)):
        table.add_row("")
    return table


def _turn(turn: Json) -> list[Text]:
    bad = turn["failed"] or turn["error"]
    return [
        Text(clock(turn["start"])),
        Text(safe(turn["name"]) + (f" {safe(turn['error'])}" if turn["error"] else ""), style="red" if bad else ""),
        Text(str(turn["code"] or ("failed" if turn["failed"] else "")), style="red" if bad else "green"),
        Text(safe(", ".join(turn["models"]), 24)),
        Text(duration(turn["ms"])),
        Text(f"{count(turn['tokens_in'])} → {count(turn['tokens_out'])}" if turn["calls"] else NONE),
        Text(cost(turn["cost"]) if turn["calls"] else NONE),
    ]


def _error(problem: Json) -> list[Text]:
    return [
        Text(ago(problem["last"], time.time() * 1000)),
        Text(count(problem["count"])),
        Text(safe(problem["kind"]), style="red"),
        Text(safe(problem["place"])),
        Text(safe(problem["service"] or "")),
    ]
