"""Write requirements/*.txt: every version with its hashes, no address of an index. Run by `make lock`.

A lock names every distribution, for every platform and for every Python from its oldest one on. It is installed with
`pip install --no-deps --require-hashes`, so pip resolves nothing, and a newer release changes nothing.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    sys.exit("scripts/lock.py needs Python 3.11 or newer")

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {
    "project": "3.10",
    "demo": "3.10",
    "image": "3.10",
    "test": "3.11",
    "bench": "3.11",
    "peers": "3.11",
    "beside": "3.11",
    "clients": "3.11",
    "clients-older": "3.11",
    "seen-upstream": "3.11",
    "seen-openllmetry": "3.11",
    "seen-openlit": "3.11",
    "docs": "3.11",
    "extensions": "3.11",
}
"""The oldest Python of each lock: the package's oldest for the locks of users, the tools' oldest for those of developers."""


def main() -> None:
    """Write the inputs that mirror the project, then the locks."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *extras["genai"], *extras["demo"]]
    header = "# Written by scripts/lock.py from pyproject.toml: the dependencies and the extras genai and demo.\n"
    (ROOT / "requirements/project.in").write_text(header + "\n".join(lines) + "\n")
    for name, oldest in LOCKS.items():
        compile_lock(Path(f"requirements/{name}.in"), oldest, "--generate-hashes", "-o", f"requirements/{name}.txt")


def compile_lock(source: Path, oldest: str, *options: str) -> str:
    """Resolve a file of requirements, for this Python and newer; return uv's output. CalledProcessError if it cannot."""
    # Extras stay in the lock: without them, a pip that resolves (against the advice) would take the newest `coverage[toml]`.
    command = [
        sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--python-version", oldest,
        "--no-strip-extras", "--no-emit-index-url", "--no-emit-find-links", "--no-header", "--no-annotate",
        str(source), *options,
    ]  # fmt: skip
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
