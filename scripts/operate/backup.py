"""Makes, lists and chooses backups of a service, and removes the oldest.

Fed by `deploy` and `rollback`; feeds `archive`. If `mongodump` is installed, a backup contains a dump of MongoDB.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import archive
from archive import Description
from layout import PARTS, Home, OperateError, Release
from swap import size_of

_ROOM = 16 * 1024 * 1024
"""Bytes that stay free on a disk."""


@dataclasses.dataclass(frozen=True)
class Listed:
    """A backup as the list shows it; `trouble` says why it cannot be used."""

    path: Path
    description: Description | None
    trouble: str = ""

    @property
    def id(self) -> str:
        """The name of a backup."""
        return self.path.name.removesuffix(".tar.gz")


def make(home: Home, folder: Path, reason: str, config: Mapping[str, str], *, database: bool = True) -> Description | None:
    """Back up all parts; None if there is nothing yet. After an OperateError or OSError the service is untouched."""
    if not any(home.part(name).exists() for name in PARTS):
        return None
    release: Release | None = home.release
    version = release.version if release else "none"
    now = dt.datetime.now(dt.timezone.utc)
    need_room(folder, sum(size_of(home.part(name)) for name in PARTS if home.part(name).exists()))
    path = _free_name(folder, f"{now:%Y%m%dT%H%M%SZ}-{re.sub('[^A-Za-z0-9.]+', '-', version)[:40]}")
    blank = Description(
        id=path.name.removesuffix(".tar.gz"),
        created=now.isoformat(timespec="seconds"),
        version=version,
        reason=reason,
        service=home.identity(),
        venv=release.venv if release else "",
        size=0,
        sha256="",
        unpacked=0,
        database=False,
    )
    with _dump(config if database else {}) as dump:
        return archive.pack(path, home, PARTS, blank, dump)


def listed(folder: Path, identity: str) -> list[Listed]:
    """All backups in a folder, the newest first, each with its checksum verified."""
    found = []
    for path in sorted(folder.glob("*.tar.gz"), reverse=True):
        try:
            found.append(Listed(path, archive.check(path, identity)))
        except OperateError as error:
            found.append(Listed(path, None, str(error)))
    return sorted(found, key=lambda one: one.description.created if one.description else one.id, reverse=True)


def remove_old(home: Home, folder: Path, keep: int) -> list[str]:
    """Remove all but the newest `keep` backups of this service, and virtual environments that none of them needs."""
    ours = [one for one in listed(folder, home.known_identity()) if one.description]
    for one in ours[keep:]:
        one.path.with_name(f"{one.id}.json").unlink(missing_ok=True)  # first: without it the archive does not count
        one.path.unlink(missing_ok=True)
    release = home.release
    needed = {one.description.venv for one in ours[:keep] if one.description} | ({release.venv} if release else set())
    for venv in home.venvs.iterdir() if home.venvs.is_dir() else ():
        if venv.name not in needed:
            shutil.rmtree(venv, ignore_errors=True)
    return [one.id for one in ours[keep:]]


def need_room(folder: Path, size: int) -> None:
    """OperateError if a disk has no room for so many bytes."""
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < size + _ROOM:
        raise OperateError(
            f"{folder} has {free // 1_000_000} MB free and {(size + _ROOM) // 1_000_000 + 1} MB are needed.",
            "Free some space, remove old backups, or use --backup-dir on another disk.",
        )


def restore_database(path: Path, config: Mapping[str, str]) -> None:
    """Put the database dump of a backup back into MongoDB, collection by collection; collections that are not in it stay."""
    with tempfile.TemporaryDirectory() as folder, _uri_file(config) as uri:
        dump = archive.database_of(path, Path(folder, "dump"))
        _run(["mongorestore", f"--config={uri}", f"--archive={dump}", "--gzip", "--drop", "--quiet"])


@contextmanager
def _dump(config: Mapping[str, str]) -> Iterator[Path | None]:
    if not config.get("MONGODB_URI") or shutil.which("mongodump") is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder, _uri_file(config) as uri:
        dump = Path(folder, "dump")
        _run(["mongodump", f"--config={uri}", f"--archive={dump}", "--gzip", "--quiet"])
        yield dump


@contextmanager
def _uri_file(config: Mapping[str, str]) -> Iterator[Path]:
    """A file with the address: on the command line, every user of the machine could read its password."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "mongo.yaml")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"uri: {json.dumps(config['MONGODB_URI'])}\n")
        yield path


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OperateError(
            f"{command[0]} failed: {(done.stderr or done.stdout).strip()[-500:]}",
            "See whether MongoDB answers, or leave the database out with --no-database.",
        )


def _free_name(folder: Path, name: str) -> Path:
    for number in range(1, 1000):
        path = folder / f"{name}{f'-{number}' if number > 1 else ''}.tar.gz"
        if not path.exists():
            return path
    raise OperateError(f"{folder} has too many backups named {name}.")
