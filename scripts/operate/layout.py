"""The folder of a service: its layout, and the release that was last deployed there.

Fed by `--home`; feeds every other module of this folder. These parts are in a backup, and each is exchanged as a whole:

    app/               the code            data/     what the app keeps on disk
    packages/          the wheel of otel-chatbot, if it was given as one
    requirements.lock  what is installed   logs/     logs, trace file, spool
    service.env        the configuration   release.json  version, port, command, installed versions

Beside them: venvs/ (one for each lock), run/ (the process id), backups/, operate.jsonl (what was done), annotations.jsonl.
"""

from __future__ import annotations

import dataclasses
import json
import os
import uuid
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
WINDOWS = os.name == "nt"

CODE = ("app", "packages", "requirements.lock", "service.env", "release.json")
"""The parts that a deployment replaces."""
PARTS = (*CODE, "data", "logs")
"""The parts that a backup holds."""
DEFAULT_COMMAND = ("{python}", "app.py")


class OperateError(Exception):
    """The script cannot go on: why, and what to do. The exit code is 1, or 3 if the service could not be put back."""

    def __init__(self, reason: str, remedy: str = "", code: int = 1) -> None:
        super().__init__(reason)
        self.remedy = remedy
        self.code = code


@dataclasses.dataclass(frozen=True)
class Release:
    """One deployed version. `venv` names a folder of venvs/; `command` may hold {python}, {bin}, {port} and {data}."""

    version: str
    deployed: str
    port: int
    venv: str
    command: tuple[str, ...] = DEFAULT_COMMAND
    installed: dict[str, str] = dataclasses.field(default_factory=dict)

    def to_text(self) -> str:
        """The content of release.json."""
        return json.dumps(dataclasses.asdict(self), indent=2, sort_keys=True) + "\n"

    @classmethod
    def read(cls, path: Path) -> Release:
        """The release of a release.json; OperateError when it is none."""
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return cls(**{**found, "command": tuple(found["command"])})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise OperateError(f"{path} cannot be read: {error}", "Choose a backup with a valid release.json.") from error


@dataclasses.dataclass(frozen=True)
class Home:
    """The paths of one service."""

    path: Path

    def part(self, name: str) -> Path:
        """One of the parts."""
        return self.path / name

    @property
    def release(self) -> Release | None:
        """The deployed release; None before the first deployment."""
        path = self.part("release.json")
        return Release.read(path) if path.exists() else None

    @property
    def run(self) -> Path:
        """The file with the recorded process."""
        return self.path / "run" / "service.json"

    @property
    def venvs(self) -> Path:
        """The virtual environments."""
        return self.path / "venvs"

    @property
    def swap(self) -> Path:
        """The folder for the parts during an exchange."""
        return self.path / ".swap"

    @property
    def output(self) -> Path:
        """The file with the service's output."""
        return self.path / "logs" / "service.out"

    def identity(self) -> str:
        """A random name, made at the first call: it tells this service's backups from those of other services."""
        path = self.path / "service.id"
        if not path.exists():
            self.path.mkdir(parents=True, exist_ok=True)
            write(path, uuid.uuid4().hex + "\n")
        return path.read_text(encoding="utf-8").strip()

    def known_identity(self) -> str:
        """The name, empty while nothing was deployed or restored here."""
        path = self.path / "service.id"
        return path.read_text(encoding="utf-8").strip() if path.exists() else ""


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file atomically: readers see the old content or the new one. It is on the disk when this returns."""
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)


def python_of(venv: Path) -> Path:
    """The Python of a virtual environment."""
    return venv / ("Scripts/python.exe" if WINDOWS else "bin/python")
