"""Writes, checks and unpacks one archive of a service's parts; errors say in words what is wrong with it.

Fed by `backup` and by the archives on disk; feeds `swap`. An archive `<id>.tar.gz` has its description beside it,
`<id>.json`, with its checksum; an archive without a description was never finished, or is not ours.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import os
import shutil
import stat
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from layout import PARTS, Home, OperateError, write

FORMAT = 1
STATE = "state"
DATABASE = "database.archive.gz"
_ANOTHER = "Choose another backup."


@dataclasses.dataclass(frozen=True)
class Description:
    """The description of an archive. `size` and `sha256` are the archive's; `unpacked` is in bytes."""

    id: str
    created: str
    version: str
    reason: str
    service: str
    venv: str
    size: int
    sha256: str
    unpacked: int
    database: bool
    format: int = FORMAT

    @classmethod
    def read(cls, path: Path) -> Description:
        """The description in a file; OperateError when it is none of ours."""
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            if found.get("format") != FORMAT:
                raise OperateError(f"{path.name} has format {found.get('format')}, not {FORMAT}: written by another version.")
            return cls(**found)
        except FileNotFoundError:
            raise OperateError(f"{path.name} is missing: the archive is not one of ours, or unfinished.", _ANOTHER) from None
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise OperateError(f"{path.name} is not a description of a backup ({error}).", _ANOTHER) from error


def pack(archive: Path, home: Home, parts: Sequence[str], description: Description, database: Path | None) -> Description:
    """Write an archive of the parts, then its description, which makes it valid. OSError if the disk is full."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    beside = archive.with_name(f".{archive.name}.part")
    unpacked = 0
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            with tarfile.open(fileobj=file, mode="w:gz", compresslevel=6, format=tarfile.PAX_FORMAT) as tar:
                for path, name in _files(home, parts):
                    unpacked += _add(tar, path, f"{STATE}/{name}")
                if database is not None:
                    unpacked += _add(tar, database, DATABASE)
            file.flush()
            os.fsync(file.fileno())
        finished = dataclasses.replace(
            description, size=beside.stat().st_size, sha256=checksum(beside), unpacked=unpacked, database=database is not None
        )
        os.replace(beside, archive)
        write(archive.with_name(f"{description.id}.json"), json.dumps(dataclasses.asdict(finished), indent=2) + "\n")
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    return finished


def _files(home: Home, parts: Sequence[str]) -> Iterator[tuple[Path, str]]:
    for part in parts:
        top = home.part(part)
        if not top.exists():
            continue
        yield top, part
        if top.is_dir():
            for folder, folders, files in os.walk(top):
                for name in sorted([*folders, *files]):
                    path = Path(folder, name)
                    yield path, path.relative_to(home.path).as_posix()


def _add(tar: tarfile.TarFile, path: Path, name: str) -> int:
    """Add one file, folder or link; return its bytes. Vanished files, sockets and pipes are left out."""
    try:
        info = tar.gettarinfo(path, name)
        if info is None:
            return 0
        info.uname = info.gname = ""
        if info.issym() and not _inside(name, info.linkname):
            raise OperateError(
                f"{path} links to {info.linkname}, outside of the service: a backup could not restore it.",
                "Replace the link by what it points to.",
            )
        if info.islnk() or info.isreg():
            info.type, info.linkname = tarfile.REGTYPE, ""
            with tempfile.SpooledTemporaryFile(max_size=8_000_000) as copy:  # the size must not change while it is packed
                with path.open("rb") as file:
                    shutil.copyfileobj(file, copy)
                info.size = copy.tell()
                copy.seek(0)
                tar.addfile(info, copy)
            return info.size
        if info.isdir() or info.issym():
            tar.addfile(info)
    except FileNotFoundError:
        return 0
    return 0


def checksum(path: Path) -> str:
    """The SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def check(archive: Path, identity: str) -> Description:
    """The description of an archive, if it is complete and of this service; OperateError says what is wrong.

    `identity` is empty on a machine where the service has never been: then any service's backup will do.
    """
    description = Description.read(archive.with_name(archive.name.removesuffix(".tar.gz") + ".json"))
    try:
        size = archive.stat().st_size
    except OSError as error:
        raise OperateError(f"{archive} cannot be read: {error.strerror}.", _ANOTHER) from error
    if size != description.size:
        raise OperateError(f"{archive.name} has {size} bytes, not {description.size}: it is truncated or changed.", _ANOTHER)
    if checksum(archive) != description.sha256:
        raise OperateError(f"{archive.name} does not have the checksum that was noted: it was changed.", _ANOTHER)
    if identity and description.service != identity:
        raise OperateError(f"{archive.name} is a backup of another service.", "Choose one of this service, or check --home.")
    return description


def unpack(archive: Path, into: Path) -> None:
    """Unpack the state into a folder. Nothing is written outside of it: all members are checked before the first is written."""
    try:
        with tarfile.open(archive, "r:gz") as tar:
            members = tar.getmembers()
            for member in members:
                _refuse(member)
            for member in members:
                if member.name.startswith(f"{STATE}/"):
                    _extract(tar, member, into, PurePosixPath(member.name).relative_to(STATE))
            for member in reversed(members):  # a folder's time changes with what is put in
                if member.isdir():
                    os.utime(into / member.name.removeprefix(f"{STATE}/"), (member.mtime, member.mtime))
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise OperateError(f"{archive.name} is no readable archive ({error}).", _ANOTHER) from error


def database_of(archive: Path, into: Path) -> Path:
    """The database dump of an archive, unpacked into a file."""
    with tarfile.open(archive, "r:gz") as tar:
        source = tar.extractfile(DATABASE)
        with into.open("wb") as target:
            shutil.copyfileobj(source or io.BytesIO(), target)
    return into


def _refuse(member: tarfile.TarInfo) -> None:
    name = PurePosixPath(member.name)
    escapes = name.is_absolute() or ".." in name.parts or "\\" in member.name or ":" in member.name
    known = member.name == DATABASE or (name.parts[:1] == (STATE,) and name.parts[1:2] in [(part,) for part in PARTS])
    kind = member.isreg() or member.isdir() or (member.issym() and _inside(member.name, member.linkname))
    if escapes or not known or not kind:
        raise OperateError(f"The archive holds {member.name!r}, which no backup holds: it is refused.", _ANOTHER)


def _inside(name: str, target: str) -> bool:
    """Whether a link stays inside the part of the service that it belongs to."""
    if target.startswith("/") or "\\" in target or ":" in target:
        return False
    up = [part == ".." for part in PurePosixPath(target).parts]
    # state/, the part and the link itself are no folders to go up from; after a name, which may be a link, none may follow.
    return up == sorted(up, reverse=True) and sum(up) <= len(PurePosixPath(name).parts) - 3


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, into: Path, name: PurePosixPath) -> None:
    path = into / name
    if any((into / parent).is_symlink() for parent in name.parents if parent.parts):
        raise OperateError(f"The archive writes through a link to {member.name!r}: it is refused.", _ANOTHER)
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
    elif member.issym():
        path.symlink_to(member.linkname)
        return
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        source = tar.extractfile(member)
        with path.open("xb") as target:
            shutil.copyfileobj(source or io.BytesIO(), target)
        os.utime(path, (member.mtime, member.mtime))
    with contextlib.suppress(PermissionError):
        path.chmod(stat.S_IMODE(member.mode) & 0o777 | (0o700 if member.isdir() else 0o400))
