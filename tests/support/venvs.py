"""Environments beside the tests' own, each from a lock of its own, with the package as it stands: made in .cache when first asked for.

Fed by requirements/*.txt; feeds `support.clients` (the clients of models) and `tests/stack/extensions` (Flask's usual extensions)
and the tests of chats' stores.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"


def environment(name: str) -> Path:
    """The `bin` of an environment; made anew when the lock `name` or the package's entry points change."""
    home = CACHE / f"{name}-venv"
    python = home / "bin" / "python"
    locked = ROOT / "requirements" / f"{name}.txt"
    stamp = home / "installed"
    now = locked.read_text() + (ROOT / "pyproject.toml").read_text()  # which names the package's entry points
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"{name}-venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test modules on several workers want it at the same time
        if not stamp.exists() or stamp.read_text() != now:
            shutil.rmtree(home, ignore_errors=True)
            _run(sys.executable, "-m", "venv", "--without-pip", str(home))
            # uv, which the tests have for the locks, needs a tenth of pip's time.
            uv = [sys.executable, "-m", "uv", "pip", "install", "-q", "--python", str(python)]
            _run(*uv, "--no-deps", "--require-hashes", "-r", str(locked))
            _run(*uv, "--no-deps", "-e", str(ROOT))
            stamp.write_text(now)
    return home / "bin"


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, f"{command}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
