"""The screen of `otel-chatbot top`: what stands where, in small and large terminals, and hostile texts."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from otel_chatbot.ui.top.state import Seen, State, pressed
from otel_chatbot.ui.top.view import screen

HOSTILE = "\x1b[2J\x1b]0;owned\x07[bold]\r\nname"
FIGURES = [
    {"title": f"Figure {number}", "unit": "count", "value": None if number % 2 else number, "empty": "nothing came"}
    for number in range(15)
]
ERROR = {"kind": HOSTILE, "place": "shop", "signal": "log", "count": 3, "last": 1.0, "trace": "", "service": None}


def row(number: int, name: str = "POST /chat", **more: object) -> dict[str, object]:
    told = {"trace": f"{number:032x}", "start": number, "ms": 10, "tokens_in": 1, "tokens_out": 1, "cost": 0.0, "failed": False}
    return {**told, "name": name, "code": 200, "error": None, "models": ["gpt"], "calls": 1, "conversation": "c", **more}


SEEN = Seen(FIGURES, [row(number) for number in range(1, 31)], [ERROR])


def drawn(state: State, seen: Seen = SEEN, width: int = 100, height: int = 30) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, color_system=None)
    console.print(screen(state, seen, width, height, "asks somebody"))
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (200, 60), (40, 16)])
def test_it_fits_into_the_terminal_with_figures_turns_errors_and_help(width: int, height: int) -> None:
    lines = drawn(State(), width=width, height=height)
    if width >= 80:
        assert len(lines) <= height
        assert "↑↓ choose" in lines[-1]
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert ("Figure 14           14" if width >= 80 else "Figure 4            4") in text
    assert "POST" in text


def test_a_figure_that_is_empty_says_why_where_there_is_room() -> None:
    assert "Figure 1 \N{EN DASH} nothing came" in "\n".join(drawn(State(), Seen(FIGURES), height=50))


def test_a_long_title_stays_apart_from_its_number() -> None:
    one = {"title": "Waiting for a connection", "unit": "count", "value": 7, "empty": ""}
    assert "Waiting for a connection 7" in "\n".join(drawn(State(), Seen([one])))


def test_the_chosen_row_is_always_on_the_screen() -> None:
    state = State()
    for _ in range(25):
        state = pressed(state, "down", SEEN)
    seen = Seen(FIGURES, [row(number, f"turn-{number}") for number in range(1, 31)], [])
    assert "turn-5 " in "\n".join(drawn(state, seen)), "the 26th from above, the newest first"


def test_what_apps_send_moves_no_cursor_and_is_no_markup() -> None:
    seen = Seen([], [row(1, HOSTILE, models=[HOSTILE], error=HOSTILE)], [ERROR], trouble=HOSTILE)
    text = "\n".join(drawn(State(), seen, width=200))
    assert "·[2J·]0;owned·[bold]··name" in text
    assert not {"\x1b", "\x07", "\r"} & set(text)
