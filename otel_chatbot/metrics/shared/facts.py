"""Facts that the processes of a run have found: each is a small file in the run's folder, written once.

Fed by the instrumentations, with names and never with values of the application; read by `instrumentation.empty`. Facts outlive
the process that found them, and end with the run. If the processes share no folder, each has its own facts.
"""

# A path is built for each fact, which os does much faster:

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from typing import Final

from ..._guard import never_raise
from .run import RUN, Run

MOST: Final = 300
"""How many facts a process writes, and how many are read."""
_SUFFIX: Final = ".fact"

Words = tuple[str, ...]


class Facts:
    """Facts by their kind: tuples of words."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._own: set[Words] = set()

    def note(self, kind: str, *words: str) -> None:
        """Tell all processes of the run. From the second time on, it costs only one look into a set."""
        fact = (kind, *words)
        if fact not in self._own and len(self._own) < MOST:
            self._own.add(fact)
            self._write(fact)

    def first(self, kind: str) -> bool:
        """Whether this is the first process of the run that claims this."""
        fact = (kind,)
        if fact in self._own:
            return False
        self._own.add(fact)
        path = self._path(fact)
        if path is None:
            return True
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return False
        return True

    def of(self, kind: str) -> list[Words]:
        """All facts of a kind, sorted."""
        found = {fact for fact in self._own.copy() if len(fact) > 1}
        directory = self._run.directory()
        if directory is not None:
            names = sorted(name for name in os.listdir(directory.path) if name.endswith(_SUFFIX))
            for name in names[:MOST]:
                with contextlib.suppress(OSError, ValueError):  # it is gone, or it is a claim, which has no content
                    found.add(tuple(json.loads(_text(os.path.join(directory.path, name)))))
        return sorted(fact[1:] for fact in found if fact[0] == kind)

    def forget(self) -> None:
        """Forget everything: for tests, which share a process."""
        for fact in self._own:
            path = self._path(fact)
            if path is not None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
        self._own.clear()

    @never_raise
    def _write(self, fact: Words) -> None:
        path = self._path(fact)
        if path is None or os.path.exists(path):
            return
        beside = f"{path}.{os.getpid()}-{threading.get_ident()}"
        with open(beside, "w", encoding="utf-8", errors="surrogatepass") as file:
            json.dump(fact, file, ensure_ascii=False)
        os.replace(beside, path)

    def _path(self, fact: Words) -> str | None:
        directory = self._run.directory()
        if directory is None:
            return None
        digest = hashlib.sha256("\0".join(fact).encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return os.path.join(directory.path, digest + _SUFFIX)


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogatepass") as file:
        return file.read()


FACTS: Final = Facts(RUN)
"""The facts of this process's run."""
