"""The picture of the rooms in ARCHITECTURE.md, drawn from what the modules import: `scripts/rooms.py [--check]`.

Fed by the source of `otel_chatbot`; feeds the block of Mermaid text between two markers of ARCHITECTURE.md.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "otel_chatbot"
PAGE = ROOT / "ARCHITECTURE.md"
BEGIN, END = "<!-- Drawn by scripts/rooms.py from the imports. -->\n", "<!-- End of the drawing. -->\n"
EVERYBODY = {"semconv", "config", "_guard", "_fork", "_wiring", "_clock", "variables"}
"""Rooms that nearly every room imports: arrows to them would hide the other arrows."""


def room_of(parts: tuple[str, ...]) -> str:
    """The room of a module: the first folder, and within instrumentation the library's."""
    if parts[0] == "instrumentation" and len(parts) > 1:
        return "/".join(parts[:2])
    return parts[0]


def imports(path: Path) -> Iterator[tuple[str, ...]]:
    """The modules of the package that a file imports, relative to it."""
    here = path.relative_to(PACKAGE).with_suffix("").parts
    package = here if path.name == "__init__.py" else here[:-1]
    package = package[:-1] if path.name == "__init__.py" else package
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - (node.level - 1)]
            module = (*base, *(node.module or "").split(".")) if node.module else base
            for alias in node.names:
                yield tuple(part for part in (*module, alias.name) if part)


def arrows() -> list[tuple[str, str]]:
    """Pairs of rooms (importer, imported), without those that a longer path implies and without `EVERYBODY`."""
    rooms = {room_of(path.relative_to(PACKAGE).with_suffix("").parts) for path in PACKAGE.rglob("*.py")}
    found = set()
    for path in PACKAGE.rglob("*.py"):
        source = room_of(path.relative_to(PACKAGE).with_suffix("").parts)
        for target in map(room_of, imports(path)):
            if target in rooms and source not in {target, "__init__"} and target not in EVERYBODY:
                found.add((source, target))
    return sorted(arrow for arrow in found if not _reaches(*arrow, found - {arrow}))


def _reaches(source: str, target: str, found: set[tuple[str, str]]) -> bool:
    """Whether a path of several arrows leads from one room to another."""
    seen, ahead = set(), [source]
    while ahead:
        room = ahead.pop()
        nearest = {to for begin, to in found if begin == room} - seen
        seen |= nearest
        ahead += nearest
    return target in seen


def drawing() -> str:
    """The Mermaid text."""
    lines = [f'    {_node(source)}["{source}"] --> {_node(target)}["{target}"]\n' for source, target in arrows()]
    return f"```mermaid\ngraph TD\n{''.join(lines)}```\n"


def _node(room: str) -> str:
    return room.replace("/", "_")


def main(*, check: bool) -> int:
    """Write the drawing into the page, or with `check` only compare; return 1 if it differs."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    wanted = before + BEGIN + drawing() + END + after
    if wanted == text:
        return 0
    if check:
        print("ARCHITECTURE.md differs from what `python scripts/rooms.py` draws")
        return 1
    PAGE.write_text(wanted, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv))
