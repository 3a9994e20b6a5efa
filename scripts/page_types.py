"""Check the types of the viewer's scripts with TypeScript's compiler: `make types`, and so CI.

The scripts are plain modules with types in their comments; nothing is built from them. The compiler is locked with its hash in
page_types/package-lock.json and kept in .cache/page-types. Needs node and npm, which scripts/system-packages.sh installs.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "scripts/page_types"
CACHE = ROOT / ".cache/page-types"
FILES = ("package.json", "package-lock.json")


def installed() -> bool:
    """Whether the compiler from the lock is installed."""
    return (CACHE / "installed").exists() and (CACHE / "installed").read_bytes() == (SOURCE / FILES[1]).read_bytes()


def install() -> None:
    """Install the compiler; the failure of npm ends this script."""
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("npm is needed to check the viewer's scripts: run scripts/system-packages.sh, or install Node.js")
    shutil.rmtree(CACHE, ignore_errors=True)
    CACHE.mkdir(parents=True)
    for name in FILES:
        shutil.copy(SOURCE / name, CACHE / name)
    if subprocess.run(
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], cwd=CACHE, check=False
    ).returncode:
        sys.exit("npm could not install TypeScript")
    shutil.copy(SOURCE / FILES[1], CACHE / "installed")


def main() -> int:
    """Check the types; return the compiler's exit status."""
    if not installed():
        install()
    command = [
        shutil.which("node") or "node",
        str(CACHE / "node_modules/typescript/bin/tsc"),
        "-p",
        str(SOURCE / "tsconfig.json"),
    ]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
