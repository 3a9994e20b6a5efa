"""The latest turn of each conversation, as keyed hashes in one file that the processes of the run map into memory.

Fed by and feeds `quality.signals.tracker`. The file has a fixed size, so memory is bounded whatever comes: a conversation has one
slot of 96 bytes in the page that its digest says; where a page is full, its oldest conversation is forgotten. Each page holds 42
digests, then 42 times, then 42 records. Nobody takes a lock: a record is written and read as one piece, and its checksum, which
covers digest and time, tells a piece that two processes have written at the same time. Without a folder, or if it cannot be
written, the table is this process's alone.
"""

# Descriptors carry the mapping, and paths are joined once, which os does as well:

from __future__ import annotations

import hashlib
import logging
import mmap
import os
import secrets
import struct
import threading
import zlib
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from ...semconv.logs import PACKAGE_LOGGER
from .sketch import MOST_WORDS, Question

PAGES: Final = 4096
"""Pages of conversations; the file has one more before them, which holds the secret of the run."""
SLOTS: Final = 42
"""Conversations per page."""
PAGE: Final = 4096
"""Bytes of a page: those of the systems that we know, so that reserving one page on the disk reserves no other."""
_DIGEST: Final = 8
_TIMES: Final = SLOTS * _DIGEST
_RECORDS: Final = _TIMES + SLOTS * 8
_RECORD: Final = struct.Struct(f"=QIHBB{MOST_WORDS}I")
_CHECKED: Final = struct.Struct("=I")
_SIZE: Final = _RECORD.size + _CHECKED.size
_TIME: Final = struct.Struct("=d")
_ALL_TIMES: Final = struct.Struct(f"={SLOTS}d")
_FREE: Final = bytes(_DIGEST)
_SECRET: Final = 32
_NAME: Final = "answers.table"

_logger = logging.getLogger(PACKAGE_LOGGER)
MARK: Final = hash(__name__) & 0xFFFF
"""Tells processes apart whose hashes of texts differ, because they were not forked from the same one."""


class Turn(NamedTuple):
    """The latest turn of a conversation. Without a question, it asked none that could be read."""

    time: float
    question: Question | None
    well: bool
    """Whether it had an answer."""
    model: int = 0
    """A checksum of the model's name."""


class Table:
    """The conversations of a run. `folder` tells the run's folder, None where nothing is shared."""

    def __init__(self, folder: Callable[[], str | None]) -> None:
        self._find_folder = folder
        self._lock = threading.RLock()
        self._map: mmap.mmap | None = None
        self._file = -1
        self._reserved = bytearray(PAGES)
        self._secret = b""
        self._text = ""

    def close(self) -> None:
        """Let go of the mapping. It is made anew when it is needed."""
        self._lock = threading.RLock()
        found, self._map = self._map, None
        if found is not None:
            found.close()
        self._leave_file()
        self._reserved = bytearray(PAGES)

    def secret(self) -> str:
        """What the hashes of the run's questions begin with."""
        self._mapped()
        return self._text

    def digest(self, conversation: str) -> bytes:
        """What stands for a conversation: the same in all processes of the run."""
        self._mapped()
        return hashlib.blake2b(conversation.encode("utf-8", "surrogatepass"), digest_size=_DIGEST, key=self._secret).digest()

    def get(self, digest: bytes) -> Turn | None:
        """The latest turn of a conversation, if it is known."""
        found = self._mapped()
        page = _page(digest)
        slot = _find(found, page, digest)
        if slot < 0:
            return None
        at = page + _RECORDS + slot * _SIZE
        record = found[at : at + _SIZE]
        time = found[page + _TIMES + slot * 8 : page + _TIMES + slot * 8 + 8]
        if zlib.crc32(record[: _RECORD.size], zlib.crc32(digest + time)) != _CHECKED.unpack_from(record, _RECORD.size)[0]:
            return None
        whole, model, mark, well, count, *words = _RECORD.unpack_from(record)
        asked = Question(whole, tuple(words[:count])) if mark == MARK and count <= MOST_WORDS else None
        return Turn(_TIME.unpack(time)[0], asked, well == 1, model)

    def put(self, digest: bytes, turn: Turn) -> None:
        """Keep the latest turn of a conversation."""
        found = self._mapped()
        page = _page(digest)
        if not self._reserve(page):
            found = self._mapped()
        asked = turn.question
        words: Sequence[int] = () if asked is None else asked.words
        padded = (*words, *(0,) * (MOST_WORDS - len(words)))
        mark = MARK if asked is not None else MARK ^ 1
        record = _RECORD.pack(0 if asked is None else asked.whole, turn.model, mark, turn.well, len(words), *padded)
        time = _TIME.pack(turn.time)
        slot = _find(found, page, digest)
        if slot < 0:
            slot = _find(found, page, _FREE)
        if slot < 0:
            times = _ALL_TIMES.unpack_from(found, page + _TIMES)
            slot = times.index(min(times))
        at = page + _RECORDS + slot * _SIZE
        found[at : at + _SIZE] = record + _CHECKED.pack(zlib.crc32(record, zlib.crc32(digest + time)))
        found[page + _TIMES + slot * 8 : page + _TIMES + slot * 8 + 8] = time
        found[page + slot * _DIGEST : page + slot * _DIGEST + _DIGEST] = digest

    def _mapped(self) -> mmap.mmap:
        return self._map or self._open()

    def _open(self) -> mmap.mmap:
        with self._lock:
            return self._map or self._share() or self._use(mmap.mmap(-1, (PAGES + 1) * PAGE), secrets.token_bytes(_SECRET))

    def _share(self) -> mmap.mmap | None:
        folder = self._find_folder() if hasattr(os, "posix_fallocate") else None
        if folder is None:
            return None
        try:
            self._file = _shared(folder)
            return self._use(mmap.mmap(self._file, (PAGES + 1) * PAGE), os.pread(self._file, _SECRET, 0))
        except OSError as error:
            self._leave_file()
            _alone(folder, error)
            return None

    def _use(self, mapped: mmap.mmap, secret: bytes) -> mmap.mmap:
        self._secret, self._text = secret, secret[:12].hex()
        self._map = mapped
        return mapped

    def _leave_file(self) -> None:
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    def _reserve(self, page: int) -> bool:
        """Have the disk keep room for a page: with a full disk, a write to the mapping would end the process by a signal."""
        number = page // PAGE - 1
        if self._file < 0 or self._reserved[number]:
            return True
        with self._lock:
            try:
                os.posix_fallocate(self._file, page, PAGE)
            except OSError as error:
                self._leave_file()
                _alone("its folder", error)
                self._use(mmap.mmap(-1, (PAGES + 1) * PAGE), self._secret)
                return False
        self._reserved[number] = 1
        return True


def _page(digest: bytes) -> int:
    """Where the page of a conversation begins."""
    return (int.from_bytes(digest[:4], "little") % PAGES + 1) * PAGE


def _find(mapped: mmap.mmap, page: int, digest: bytes) -> int:
    """The slot of a digest in a page; -1 where it has none."""
    end = page + _TIMES
    at = mapped.find(digest, page, end)
    while at >= 0 and (at - page) % _DIGEST:
        at = mapped.find(digest, at + 1, end)
    return -1 if at < 0 else (at - page) // _DIGEST


def _shared(folder: str) -> int:
    """The file of a run, opened: made by its first process, with a secret at its beginning."""
    path = os.path.join(folder, _NAME)
    flags = os.O_RDWR | os.O_CLOEXEC
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        pass
    beside = f"{path}.{os.getpid()}-{secrets.token_hex(4)}"
    made = os.open(beside, flags | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.posix_fallocate(made, 0, PAGE)
        os.pwrite(made, secrets.token_bytes(_SECRET), 0)
        os.ftruncate(made, (PAGES + 1) * PAGE)
        try:
            os.link(beside, path)
        except FileExistsError:
            os.close(made)
            made = -1
            made = os.open(path, flags)
    except OSError:
        if made >= 0:
            os.close(made)
        raise
    finally:
        os.unlink(beside)
    return made


def _alone(place: str, error: OSError) -> None:
    _logger.warning(
        "signals of answers that need a conversation's earlier turn are found in process %d alone: %s cannot be written (%s)",
        os.getpid(), place, error.strerror,
    )  # fmt: skip
