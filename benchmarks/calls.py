"""Counts the function calls that each side adds to the parts of a chat turn: unlike times, other load cannot change them.

    python benchmarks/calls.py

Fed by `apps/counted.py`, which runs under each side; feeds `run.py`. A part is what its request takes beyond a request
that does nothing, and "added" is beyond the bare app.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import environment as e
from request_cost import servers, sink

SIDES = {
    "otel-chatbot": e.OURS,
    "stock": e.STOCK,
    "otel-chatbot, unsampled": e.unsampled(e.OURS),
    "stock, unsampled": e.unsampled(e.STOCK),
}

Calls = Mapping[str, Mapping[str, float]]
"""Calls by part and side."""


def added() -> Calls:
    """The calls that each side adds, by part."""
    with tempfile.TemporaryDirectory() as folder, servers(Path(folder)) as addresses, sink() as endpoint:
        bare = _parts(e.BARE, endpoint, Path(folder), addresses)
        found = {name: _parts(side, endpoint, Path(folder), addresses) for name, side in SIDES.items()}
    return {side: {part: calls - bare[part] for part, calls in parts.items()} for side, parts in found.items()}


def _parts(side: e.Side, endpoint: str, folder: Path, addresses: Mapping[str, str]) -> dict[str, float]:
    with tempfile.TemporaryDirectory(dir=folder) as own:
        done = subprocess.run(
            side.command(str(e.HERE / "apps" / "counted.py")), env=side.environment(endpoint, Path(own), **addresses),
            cwd=own, check=False, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{side.name}:\n{done.stderr[-3000:]}")
    counted: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    [nothing, *_] = counted.values()
    return {part: calls if number == 0 else calls - nothing for number, (part, calls) in enumerate(counted.items())}


def main() -> None:
    e.prepare()
    for side, parts in added().items():
        print(f"{side:26}", ", ".join(f"{part} {calls:.0f}" for part, calls in parts.items()))


if __name__ == "__main__":
    main()
