"""Virtual environments: one per lock, made one time, kept while a backup needs it.

Fed by a lock file and, if given, a wheel of otel-chatbot; feeds `service` with a Python. A virtual environment is never
changed after it was made, so a rollback only starts from the old one.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import backup
from layout import Home, OperateError, python_of

_OLDEST = (3, 10)
_ROOM = 400_000_000
"""About how many bytes a virtual environment takes."""
_DONE = ".complete"
_LIST = """
import json
from importlib.metadata import distributions
print(json.dumps({d.metadata["Name"].lower(): d.version for d in distributions() if d.metadata["Name"]}))
"""


def check_python(home: Home, key: str) -> str:
    """The version of this Python; OperateError if no virtual environment can be made with it."""
    if sys.version_info < _OLDEST:
        raise OperateError(
            f"Python {platform.python_version()} is too old: 3.10 or newer is needed.", "Set PYTHON to a newer one."
        )
    probe = subprocess.run([sys.executable, "-c", "import venv, ensurepip, ssl"], capture_output=True, text=True, check=False)
    if probe.returncode:
        raise OperateError(
            f"This Python cannot make virtual environments: {probe.stderr.strip().splitlines()[-1]}.",
            "Install its venv package (on Debian: apt install python3-venv).",
        )
    there = (home.venvs / key / _DONE).exists()
    if not there:
        backup.need_room(home.path, _ROOM)
    return f"Python {platform.python_version()}, {'virtual environment is there' if there else 'a new virtual environment'}"


def key_of(lock: Path, packages: Path | None) -> str:
    """The name of the virtual environment of a lock, the wheels beside it and this Python."""
    digest = hashlib.sha256(f"{sys.version_info[:3]} {sys.platform}".encode())
    digest.update(lock.read_bytes())
    for wheel in sorted(packages.glob("*.whl")) if packages and packages.is_dir() else ():
        digest.update(wheel.name.encode() + wheel.read_bytes())
    return digest.hexdigest()[:16]


def build_wheel(source: Path, into: Path) -> None:
    """Put the wheel of a package into a folder: the file itself, or built from a project's folder."""
    into.mkdir(parents=True, exist_ok=True)
    if source.is_file():
        shutil.copy2(source, into)
        return
    _pip(sys.executable, "wheel", "--no-deps", "--wheel-dir", str(into), str(source))


def make(home: Home, key: str, lock: Path, packages: Path) -> bool:
    """Make the virtual environment `key`, unless it exists; return whether it was made now. An OperateError leaves none."""
    venv = home.venvs / key
    if (venv / _DONE).exists():
        return False
    try:
        _create(venv)
        python = str(python_of(venv))
        locked = "--hash=" in lock.read_text(encoding="utf-8")
        hashed = ["--no-deps", "--require-hashes"] if locked else []  # a lock names all: no pip is to resolve it differently
        with tempfile.TemporaryDirectory() as elsewhere:  # pip looks for a wheel's name in the working folder too
            _pip(python, "install", *hashed, "-r", str(lock), cwd=elsewhere)
            wheels = [str(wheel) for wheel in sorted(packages.glob("*.whl"))] if packages.is_dir() else []
            if wheels:
                _pip(python, "install", "--no-deps", *wheels, cwd=elsewhere)
        if locked:
            _check(python)
        (venv / _DONE).write_text("")
    except BaseException:
        shutil.rmtree(venv, ignore_errors=True)
        raise
    return True


def _create(venv: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OperateError(f"No virtual environment could be made: {(done.stdout + done.stderr).strip()[-500:]}")


def installed(home: Home, key: str) -> dict[str, str]:
    """Versions by lower-case name of all that a virtual environment holds."""
    found = subprocess.run([str(python_of(home.venvs / key)), "-c", _LIST], capture_output=True, text=True, check=False)
    if found.returncode:
        raise OperateError(f"The virtual environment {key} does not work: {found.stderr.strip()[-300:]}", "Deploy again.")
    versions: dict[str, str] = json.loads(found.stdout)
    return versions


def differences(expected: dict[str, str], found: dict[str, str]) -> list[str]:
    """Distributions with another version than expected, one line each."""
    return [
        f"{name} {found.get(name, 'missing')} instead of {version}"
        for name, version in sorted(expected.items())
        if name not in ("pip", "setuptools") and found.get(name) != version
    ]


def _check(python: str) -> None:
    """OperateError if an installed distribution needs one that is missing, or another version of it."""
    done = subprocess.run([python, "-m", "pip", "--no-input", "check"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OperateError(
            f"The lock is not complete: {'; '.join((done.stdout or done.stderr).strip().splitlines()[:5])}",
            "Write it again with all that its packages need, as `pip-compile --generate-hashes` or "
            "`uv pip compile --generate-hashes` do; then deploy again.",
        )


def _pip(python: str, *arguments: str, cwd: str | None = None) -> None:
    command = [python, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    done = subprocess.run([*command, "--quiet"], capture_output=True, text=True, check=False, cwd=cwd)
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        said = next((line for line in lines if re.match("ERROR", line)), "\n".join(lines[-3:]))
        raise OperateError(
            f"pip could not install: {said}", "Check the lock, and that the package index answers; then deploy again."
        )
