"""Numbers and texts of the terminal. That they are the pages' own is shown in a browser: tests/stack/ui/test_viewer_page.py."""

from __future__ import annotations

import pytest

from otel_chatbot.ui.top import words


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "count", "\N{EN DASH}"), (1234567, "count", "1,234,567"), (0.5, "count", "0.5"), (0, "count", "0"),
        (0.0123, "s", "12 ms"), (0.0012345, "s", "1.23 ms"), (2.5, "s", "2.50 s"), (0.0000004, "s", "0 µs"), (75, "s", "1 min 15 s"),
        (7300, "s", "2.0 h"), (0.031, "share", "3.1 %"), (0.5, "share", "50 %"), (0, "share", "0 %"), (0, "usd", "$0"),
        (0.00123, "usd", "$0.00123"), (12.345, "usd", "$12.35"), (1, "health", "healthy"), (0.5, "health", "degraded"),
        (0, "health", "unhealthy"), (2048, "By", "2 KiB"), (3 * 1048576, "By", "3.0 MiB"),
    ],
)  # fmt: skip
def test_figures_are_said_in_their_unit(value: float | None, unit: str, text: str) -> None:
    assert words.figure(value, unit) == text


def test_a_text_holds_no_character_that_a_terminal_obeys() -> None:
    assert words.safe("a\x1b]0;title\x07\x9b2J\r\n\u202eb\u2028") == "a·]0;title··2J···b·"
    assert words.safe("é 漢 👍 ok") == "é 漢 👍 ok"
    assert len(words.safe("x" * 10_000)) == 200


@pytest.mark.parametrize(
    ("seconds", "text"), [(-5, "now"), (3, "now"), (59, "59 s ago"), (61, "1 min ago"), (7200, "2 h ago"), (200_000, "2 d ago")]
)
def test_the_past_is_told_roughly(seconds: float, text: str) -> None:
    assert words.ago(1_000_000_000 - 1000 * seconds, 1_000_000_000) == text
