"""Small facts that all processes of a run share, the latest of each: files in the run's folder.

Fed by `instrumentation.common.savings` and read by it; they outlive the process that wrote them, and end with the run.
"""

# A path that is built for each note, which os does much faster:

from __future__ import annotations

import hashlib
import os
import threading
from typing import Final

from .run import RUN, Run

_MOST: Final = 1000
"""Notes that a process writes; of more names, it keeps none."""


class Notes:
    """Texts by name. Where the processes share no folder, each has its own."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._own: dict[str, str] = {}

    def put(self, name: str, text: str) -> None:
        """Set what a name says, for all processes of the run."""
        if name not in self._own and len(self._own) >= _MOST:
            return
        self._own[name] = text
        path = self._path(name)
        if path is None:
            return
        beside = f"{path}.{os.getpid()}-{threading.get_ident()}"
        with open(beside, "w", encoding="utf-8", errors="surrogatepass") as file:
            file.write(text)
        os.replace(beside, path)

    def get(self, name: str) -> str | None:
        """What a name says, whichever process has set it last; None where none has."""
        path = self._path(name)
        if path is None:
            return self._own.get(name)
        try:
            with open(path, encoding="utf-8", errors="surrogatepass") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def _path(self, name: str) -> str | None:
        directory = self._run.directory()
        if directory is None:
            return None
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return os.path.join(directory.path, f"{digest}.note")


NOTES: Final = Notes(RUN)
"""The notes of this process's run."""
