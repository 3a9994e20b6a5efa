"""`otel-chatbot top`: figures, turns and errors in a terminal, until q is pressed.

Fed by the command line; asks a viewer that runs, or looks at the apps of this machine itself.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..ui.top.asking import Ask, Local, Remote, UnansweredError, is_address, seen
from ..ui.top.keys import keyboard
from ..ui.top.state import Seen, State, pressed

if TYPE_CHECKING:
    from rich.console import Console

_USUAL: Final = "http://127.0.0.1:4390"
_SECONDS: Final = 1.0
"""Between two looks, while no key is pressed."""


@dataclass(frozen=True)
class TopOptions:
    """What to look at."""

    folder: str = ""
    viewer: str = ""
    token: str = ""


def top(asked: TopOptions) -> int:
    """Show until ended; 1 when that cannot be, with the reason."""
    try:
        from rich.console import Console
    except ImportError:
        _say("this command draws with Rich, which is not installed: pip install 'otel-chatbot[top]'")
        return 1
    if asked.viewer and not is_address(asked.viewer):
        _say(f"--viewer {asked.viewer} is no address such as {_USUAL}")
        return 1
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        _say("this command needs a terminal; programs ask the viewer (otel-chatbot ui) for /api/now and /api/turns")
        return 1
    try:
        with _answering(asked) as (ask, source), keyboard(sys.stdin.fileno()) as keys:
            for name in ("COLUMNS", "LINES"):  # a parent may have left them behind: the terminal says how large it is
                os.environ.pop(name, None)
            _show(Console(), ask, source, keys)
    except (OSError, UnansweredError) as error:
        _say(str(error))
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


@contextlib.contextmanager
def _answering(asked: TopOptions) -> Iterator[tuple[Ask, str]]:
    """Who answers: the viewer that was named, the usual one when it runs, or this process."""
    if not asked.folder:
        remote = Remote(asked.viewer or _USUAL, asked.token)
        try:
            if remote("state", {}) is not None:
                yield remote, f"asks {remote.url}"
                return
        except UnansweredError:
            if asked.viewer:
                raise
    local = Local(asked.folder, lambda _text: None)
    try:
        yield local, f"looks at {asked.folder or 'the apps of this machine'}"
    finally:
        local.close()


def _show(console: Console, ask: Ask, source: str, keys: Callable[[float], list[str]]) -> None:
    from rich.live import Live

    from ..ui.top.view import screen

    state, found = State(), Seen()
    with Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop") as live:
        while not state.ended:
            found = seen(ask, state, found)
            live.update(screen(state, found, console.width, console.height, source), refresh=True)
            for key in keys(_SECONDS):
                state = pressed(state, key, found)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
