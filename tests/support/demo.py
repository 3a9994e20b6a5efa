"""`make demo` as a developer starts it, on free ports, in a folder of its own with nothing in it yet; ended by Ctrl-C.

Feeds the tests of the viewer's pages. Only the installing is left out: the environment is one of `support.venvs`, with what
requirements/demo.txt names and the package as it stands. `tests/stack/test_demo.py` installs as the demo itself does.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import sys
from pathlib import Path

from typing_extensions import Self

from .chat import ChatClient
from .model import Call, calls_in
from .process import Process, free_port, wait_for
from .venvs import environment
from .viewer import Page

ROOT = Path(__file__).resolve().parents[2]


class Demo(ChatClient):
    """The demo, started on entering; `viewer` is its viewer."""

    def __init__(self, folder: Path) -> None:
        super().__init__(free_port())
        self.home = folder / "clone" / ".demo"
        self._folder = folder
        self.viewer: Page

    def __enter__(self) -> Self:
        self._clone()
        command = ["make", "--directory", str(self.home.parent), "demo", f"PORT={self.port}", f"PYTHON={sys.executable}"]
        self.process = Process(command, self._folder, {"VIEWER_PORT": str(free_port())}, name="demo")
        self.process.wait(lambda: "Ctrl-C ends the demo" in self.process.stdout, "the demo's addresses", 120)
        assert "Installing" not in self.process.stdout
        [address] = re.findall(r"^  Viewer +(http://127.0.0.1:\d+)/$", self.process.stdout, re.MULTILINE)
        self.viewer = Page(address)
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self.process.pid, signal.SIGINT)  # as a terminal does: make and the script are in one group
        try:
            wait_for(lambda: self.process.popen.poll() is not None, "the demo's end", 60)
        finally:
            self.process.__exit__()

    def calls(self) -> list[Call]:
        """The calls of the model that have ended."""
        return calls_in(self.home / "model-calls.jsonl")

    def _clone(self) -> None:
        clone = self.home.parent
        clone.mkdir(parents=True)
        for name in ("Makefile", "pyproject.toml"):
            shutil.copy(ROOT / name, clone)
        for name in ("scripts", "examples", "requirements"):
            shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
        self.home.mkdir()
        (self.home / "venv").symlink_to(environment("demo").parent)
        recipe = sys.version.encode() + (ROOT / "pyproject.toml").read_bytes() + (ROOT / "requirements/demo.txt").read_bytes()
        (self.home / "venv" / ".installed").write_text(hashlib.sha256(recipe).hexdigest())
