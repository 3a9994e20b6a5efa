"""A real terminal, by tmux: what a command draws is read from its screen, and keys are pressed.

Feeds the tests of `otel-chatbot top`, and its picture in the documentation.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from typing_extensions import Self

from .process import clean_env, program, wait_for

LIMIT = 60.0


class Terminal:
    """A terminal of tmux with a command in it; a server of its own, ended with it."""

    def __init__(self, folder: Path, *command: str, width: int = 110, height: int = 32) -> None:
        self._tmux = [program("tmux", "run `make setup`"), "-S", str(folder / "tmux"), "-f", "/dev/null"]
        self._env = {**clean_env(), "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "COLUMNS": "40", "LINES": "9"}
        size = ("-x", str(width), "-y", str(height))
        self._run("new-session", "-d", *size, "sh", "-c", '"$@"; echo "ended with $?"; read line', "sh", *command)

    def _run(self, *arguments: str) -> str:
        return subprocess.run(
            [*self._tmux, *arguments], env=self._env, check=True, capture_output=True, text=True, timeout=LIMIT
        ).stdout

    def screen(self) -> str:
        return self._run("capture-pane", "-p")

    def coloured(self) -> str:
        """The screen with its colours, as a terminal is told them."""
        return self._run("capture-pane", "-p", "-e")

    def press(self, *keys: str) -> None:
        self._run("send-keys", *keys)

    def wait(self, *texts: str) -> str:
        """The screen once it has all of some texts."""
        wait_for(lambda: all(text in self.screen() for text in texts), f"{texts} in the terminal", LIMIT, 0.1)
        return self.screen()

    def title(self) -> str:
        return self._run("display-message", "-p", "#{pane_title}").strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._run("kill-server")
