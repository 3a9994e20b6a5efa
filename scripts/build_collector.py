"""Build the collector of collector/builder/manifest.yaml with OCB into .cache/collector; `make collector`.

Needs Go. The generated sources are compiled with the committed go.mod and go.sum, so that every module's hash is checked.
A binary built from the same manifest is kept; the path of the binary is the last line printed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "collector/builder"
CACHE = ROOT / ".cache/collector"
BUILDER = "go.opentelemetry.io/collector/cmd/builder@v0.157.0"


def fingerprint() -> str:
    """A hash of all that the binary is made from."""
    digest = hashlib.sha256(BUILDER.encode())
    for name in ("manifest.yaml", "go.mod", "go.sum"):
        digest.update((SOURCE / name).read_bytes())
    return digest.hexdigest()[:16]


def run(*command: str, cwd: Path = ROOT, **env: str) -> None:
    """Run a command; its failure ends this script with its own message."""
    done = subprocess.run(command, cwd=cwd, env={**os.environ, **env}, check=False)
    if done.returncode:
        sys.exit(f"failed: {' '.join(command)}")


def main() -> None:
    """Build, unless that was done from the same files, and print the path of the binary."""
    binary = CACHE / "otelcol"
    marker = CACHE / "built-from"
    wanted = fingerprint()
    if not (binary.exists() and marker.exists() and marker.read_text() == wanted):
        if shutil.which("go") is None:
            sys.exit("Go 1.25 or newer is needed to build the collector; install it, or use the official contrib image")
        CACHE.mkdir(parents=True, exist_ok=True)
        build = CACHE / "_build"
        shutil.rmtree(build, ignore_errors=True)
        run("go", "install", BUILDER, GOBIN=str(CACHE))
        # OCB only makes the sources: its own download step would also fetch modules for other operating systems.
        manifest = CACHE / "manifest.yaml"
        manifest.write_text((SOURCE / "manifest.yaml").read_text().replace("./_build", str(build)))
        run(str(CACHE / "builder"), "--config", str(manifest), "--skip-get-modules", "--skip-compilation")
        for name in ("go.mod", "go.sum"):
            shutil.copy(SOURCE / name, build / name)
        new = CACHE / "otelcol.new"
        run(
            "go", "build", "-mod=readonly", "-trimpath", "-tags", "grpcnotrace", "-ldflags", "-s -w", "-o", str(new), ".",
            cwd=build,
        )  # fmt: skip
        new.replace(binary)  # a running binary stays intact
        marker.write_text(wanted)
    print(binary)


if __name__ == "__main__":
    main()
