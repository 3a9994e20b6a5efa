"""Small facts that all processes of a run share, the latest of each: files in the run's folder.

Written and read by `instrumentation.common.savings` and `quality`; keys also by `instrumentation.active`. They outlive the
process that wrote them, and end with the run.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import secrets
import threading
from pathlib import Path
from typing import Final

from .run import RUN, Run

_MOST: Final = 1000
"""How many notes a process writes; further names are not kept."""
_LONGEST: Final = 65_536
"""Maximum bytes of a note; the names of models are short."""
_WRITING: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
_READING: Final = os.O_RDONLY | os.O_CLOEXEC


class Notes:
    """Texts by name. If the processes share no folder, each has its own texts."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._own: dict[str, str] = {}

    def put(self, name: str, text: str) -> None:
        """Set the text of a name, for all processes of the run."""
        data = text.encode("utf-8", "surrogatepass")
        if len(data) > _LONGEST or (name not in self._own and len(self._own) >= _MOST):
            return
        self._own[name] = text
        path = self._path(name)
        if path is None:
            return
        beside = f"{path}.{os.getpid()}-{threading.get_ident()}"
        # Each chat turn writes and reads a note: `open` would cost ten times as much as these calls.
        file = os.open(beside, _WRITING, 0o600)
        try:
            os.write(file, data)
        finally:
            os.close(file)
        os.replace(beside, path)

    def get(self, name: str) -> str | None:
        """The text of a name, from the process that set it last; None if none has set it."""
        path = self._path(name)
        if path is None:
            return self._own.get(name)
        try:
            file = os.open(path, _READING)
        except FileNotFoundError:
            return None
        try:
            return os.read(file, _LONGEST).decode("utf-8", "surrogatepass")
        finally:
            os.close(file)

    def _path(self, name: str) -> str | None:
        directory = self._run.directory()
        return None if directory is None else f"{directory.path}{os.sep}{_file(name)}"


@functools.lru_cache(maxsize=_MOST)
def _file(name: str) -> str:
    """The file of a note."""
    return f"{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}.note"


def shared_key(folder: Path, name: str) -> bytes:
    """A random key of a run: made by the first process that asks for it, read by all. OSError where it cannot be kept."""
    path = folder / name
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    beside = folder / f"{name}.{os.getpid()}-{secrets.token_hex(4)}"
    beside.write_bytes(secrets.token_bytes(32))
    try:
        with contextlib.suppress(FileExistsError):
            os.link(beside, path)
    finally:
        beside.unlink()
    return path.read_bytes()


NOTES: Final = Notes(RUN)
"""The notes of this process's run."""
