"""Keys of a terminal, one by one: letters as they are, arrows and the like by their names.

Fed by the terminal; feeds `ui.top.state`. While it reads, the terminal neither waits for the end of a line nor shows what is
typed; afterwards it is as it was.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
from collections.abc import Callable, Iterator
from typing import Final

_SEQUENCES: Final = {
    "[A": "up", "[B": "down", "[C": "right", "[D": "left", "[H": "home", "[5~": "page up", "[6~": "page down",
    "OA": "up", "OB": "down", "OC": "right", "OD": "left", "OH": "home",
}  # fmt: skip
_PLAIN: Final = {
    "\r": "enter",
    "\n": "enter",
    "\t": "tab",
    "\x7f": "backspace",
    "\x08": "backspace",
    "\x03": "end",
    "\x04": "end",
}
_ESCAPE: Final = "\x1b"
_BYTES: Final = 1024


def keys(text: str) -> Iterator[str]:
    """The keys in a text from the terminal; the start of an unknown sequence is skipped."""
    at = 0
    while at < len(text):
        if text[at] == _ESCAPE:
            known = next((one for one in _SEQUENCES if text.startswith(one, at + 1)), "")
            if known or at + 1 == len(text):
                yield _SEQUENCES.get(known, "escape")
            at += 1 + len(known)
            continue
        yield _PLAIN.get(text[at], text[at].lower())
        at += 1


@contextlib.contextmanager
def keyboard(descriptor: int) -> Iterator[Callable[[float], list[str]]]:
    """A function that waits some seconds for keys and returns them; OSError on Windows, whose terminals differ."""
    if sys.platform == "win32":
        raise OSError("this system's terminals are read in another way: use `otel-chatbot ui`")
    import termios
    import tty

    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    try:
        yield lambda seconds: _pressed(descriptor, seconds)
    finally:
        with contextlib.suppress(termios.error):  # the terminal was closed
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _pressed(descriptor: int, seconds: float) -> list[str]:
    """The pressed keys; `end` if the terminal was closed."""
    ready, _, _ = select.select([descriptor], [], [], seconds)
    if not ready:
        return []
    data = os.read(descriptor, _BYTES)
    return list(keys(data.decode("utf-8", "replace"))) if data else ["end"]
