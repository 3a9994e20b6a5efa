"""The latest turn of each conversation, as keyed hashes in one file that the processes of the run map into memory.

Fed by and feeds `quality.signals.tracker`. The file has a fixed size, so memory is bounded whatever comes: a conversation has one
slot of 96 bytes in the page that its digest says; where a page is full, its oldest conversation is forgotten. Each page holds 42
digests, then 42 records. Nobody takes a lock: a record is written and read as one piece, and its checksum, which covers the digest
too, tells a piece that two processes have written at the same time. Without a folder, or if it cannot be
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
from collections.abc import Callable
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
_RECORDS: Final = SLOTS * _DIGEST
_RECORDS_OF: Final = tuple(struct.Struct(f"<dQIHBB{words}I{4 * (MOST_WORDS - words)}x") for words in range(MOST_WORDS + 1))
"""By the number of words, how a record is written: all of one size."""
_COUNT_AT: Final = 23
"""The byte of a record that says how many words it has."""
_CHECKED: Final = struct.Struct("<I")
_SIZE: Final = _RECORDS_OF[0].size + _CHECKED.size
_WHOLE: Final = 0x2144DF1C
"""The CRC-32 of any bytes that are followed by their own CRC-32, whatever it began with."""
_ALL_TIMES: Final = struct.Struct("<" + f"d{_SIZE - 8}x" * SLOTS)
_FREE: Final = bytes(_DIGEST)
_SECRET: Final = 32
_NAME: Final = "answers.table"
_NOTHING: Final = Question(0, ())
_made: Final = tuple.__new__
"""Makes a named tuple at half the cost of its own call."""

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
        self._keyed = hashlib.blake2b(digest_size=_DIGEST)

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
        if self._map is None:
            self._open()
        return self._text

    def digest(self, conversation: str) -> bytes:
        """What stands for a conversation: the same in all processes of the run."""
        if self._map is None:
            self._open()
        keyed = self._keyed.copy()
        keyed.update(conversation.encode("utf-8", "surrogatepass"))
        return keyed.digest()

    def get(self, digest: bytes) -> Turn | None:
        """The latest turn of a conversation, if it is known."""
        found = self._mapped()
        page = _page(digest)
        slot = _find(found, page, digest)
        at = page + _RECORDS + slot * _SIZE
        return None if slot < 0 else _read(found[at : at + _SIZE], zlib.crc32(digest))

    def put(self, digest: bytes, turn: Turn) -> Turn | None:
        """Keep the latest turn of a conversation; return the one before it, if it is known."""
        found = self._map or self._open()
        page = ((digest[0] | digest[1] << 8) % PAGES + 1) * PAGE  # as `_page` has it, without its call
        if self._file >= 0 and not self._reserved[page // PAGE - 1]:
            found = self._reserve(page)
        seed = zlib.crc32(digest)
        slot = _find(found, page, digest)
        if slot < 0:
            before, slot = None, _place(found, page)
            known = page + slot * _DIGEST
            found[known : known + _DIGEST] = digest
            at = page + _RECORDS + slot * _SIZE
        else:
            at = page + _RECORDS + slot * _SIZE
            before = _read(found[at : at + _SIZE], seed)
        time, asked, well, model = turn
        mark = MARK
        if asked is None:
            asked, mark = _NOTHING, mark ^ 1
        whole, words = asked
        number = len(words)
        record = _RECORDS_OF[number].pack(time, whole, model, mark, well, number, *words)
        found[at : at + _SIZE] = record + _CHECKED.pack(zlib.crc32(record, seed))
        return before

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
        # BLAKE2 needs no construction for a key: before the id it does as well, and one block less is hashed per id.
        self._keyed = hashlib.blake2b(secret, digest_size=_DIGEST)
        self._map = mapped
        return mapped

    def _leave_file(self) -> None:
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    def _reserve(self, page: int) -> mmap.mmap:
        """Have the disk keep room for a page: with a full disk, a write to the mapping would end the process by a signal."""
        with self._lock:
            try:
                os.posix_fallocate(self._file, page, PAGE)
            except OSError as error:
                self._leave_file()
                _alone("its file", error)
                self._use(mmap.mmap(-1, (PAGES + 1) * PAGE), self._secret)
            self._reserved[page // PAGE - 1] = 1
            return self._mapped()


def _read(record: bytes, seed: int) -> Turn | None:
    """The turn in a record; None where two processes have written it at the same time. `seed`: the checksum of the digest."""
    if zlib.crc32(record, seed) != _WHOLE:
        return None
    time, whole, model, mark, well, _, *words = _RECORDS_OF[record[_COUNT_AT]].unpack_from(record)
    asked = _made(Question, (whole, tuple(words))) if mark == MARK else None
    return _made(Turn, (time, asked, well == 1, model))


def _place(mapped: mmap.mmap, page: int) -> int:
    """The slot for a new conversation: a free one, else that of the oldest conversation of the page."""
    slot = _find(mapped, page, _FREE)
    if slot < 0:
        times = _ALL_TIMES.unpack_from(mapped, page + _RECORDS)
        slot = times.index(min(times))
    return slot


def _page(digest: bytes) -> int:
    """Where the page of a conversation begins."""
    return ((digest[0] | digest[1] << 8) % PAGES + 1) * PAGE


def _find(mapped: mmap.mmap, page: int, digest: bytes) -> int:
    """The slot of a digest in a page; -1 where it has none."""
    end = page + _RECORDS
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
