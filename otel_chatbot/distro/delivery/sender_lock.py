"""The file lock that decides which process sends the payloads of a spool.

`distro.delivery.sender` asks for it before each look into the spool.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # one process sends, where nothing forks
    fcntl = None  # type: ignore[assignment]


class SenderLock:
    """Held by the process that sends; the kernel frees it when that process ends."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "sender.lock"
        self._file: IO[bytes] | None = None

    @property
    def held(self) -> bool:
        """Whether this process is the sender."""
        return self._file is not None

    def take(self) -> bool:
        """Whether this process is the sender, from now on or already. OSError if the folder cannot hold the lock."""
        if self._file is not None:
            if self._is_still_there(self._file):
                return True
            self.release()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("ab")
        try:
            if fcntl is not None:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            if error.errno not in (errno.EACCES, errno.EAGAIN):  # a file system without locks
                raise
            return False
        self._file = file
        return True

    def _is_still_there(self, file: IO[bytes]) -> bool:
        """Whether the path still leads to our file: somebody may have cleared the folder."""
        try:
            return os.path.samestat(os.fstat(file.fileno()), os.stat(self._path))
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Let another process send; in a forked child, forget its parent's lock, which stays the parent's."""
        if self._file is not None:
            self._file.close()
            self._file = None
