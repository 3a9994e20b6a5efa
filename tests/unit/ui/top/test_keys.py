"""Keys of a terminal: read one by one, and the terminal as it was afterwards."""

from __future__ import annotations

import os
import pty
import termios

from otel_chatbot.ui.top.keys import keyboard, keys


def test_arrows_and_letters_are_told_apart() -> None:
    assert list(keys("q\x1b[A\x1b[B\x1b[6~\r\tD")) == ["q", "up", "down", "page down", "enter", "tab", "d"]
    assert list(keys("\x1b")) == ["escape"]
    assert list(keys("\x1b[Zx\x03")) == ["[", "z", "x", "end"]


def test_keys_come_without_a_line_and_the_terminal_is_given_back() -> None:
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    with keyboard(slave) as pressed:
        assert pressed(0) == []
        os.write(master, b"s\x1b[B")
        found: list[str] = []
        while len(found) < 2:
            found += pressed(60)
        assert found == ["s", "down"]
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)
