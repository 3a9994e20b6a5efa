"""The page's files, from the package itself: HTML, CSS, scripts, held in memory.

Fed by `static/`; feeds `ui.server`. Only names in the table are served: a requested path never reaches the disk.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Final

_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
VIEWS: Final = ("now", "conversations", "traces", "logs", "errors", "metrics", "doctor")
"""Each is an address of the same page; its script shows the view of the address."""


class Pages:
    """The files, by path."""

    def __init__(self) -> None:
        self._files = {
            f"/static/{entry.name}": (entry.read_bytes(), _TYPES[entry.name.rpartition(".")[2]])
            for entry in files("otel_chatbot.ui").joinpath("static").iterdir()
            if entry.name.rpartition(".")[2] in _TYPES
        }

    def find(self, path: str) -> tuple[bytes, str] | None:
        """A file and its type; None if there is none."""
        first = path.lstrip("/").partition("/")[0]
        if path == "/" or first in VIEWS:
            return self._files["/static/index.html"]
        return self._files.get(path)
