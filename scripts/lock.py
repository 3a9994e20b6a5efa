"""Write requirements/*.txt: every version with its hashes, no address of an index. Run by `make lock`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    sys.exit("scripts/lock.py needs Python 3.11 or newer")

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Write the inputs that mirror the project, then the locks."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *extras["genai"], *extras["demo"]]
    header = "# Written by scripts/lock.py from pyproject.toml: the dependencies and the extras genai and demo.\n"
    (ROOT / "requirements/project.in").write_text(header + "\n".join(lines) + "\n")
    for name in ("project", "demo", "test", "bench", "peers", "clients", "clients-older", "image", "docs"):
        command = [
            sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--generate-hashes", "--universal", "--python-version", "3.11",
            "--no-emit-index-url", "--no-emit-find-links", "--no-header", "--no-annotate",
            f"requirements/{name}.in", "-o", f"requirements/{name}.txt",
        ]  # fmt: skip
        subprocess.run(command, cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
