"""`otel-chatbot render [--check]`: writes the files that are rendered, or says which of them differ from what would be written.

Fed by `render.files()`; feeds a copy of the repository.
"""

from __future__ import annotations

from pathlib import Path

from ..render import files


def render(root: str, runbooks: str, *, check: bool) -> int:
    """Write the files below `root`, or with `check` only compare them; 1 when one differs, each by its name."""
    folder = Path(root)
    wanted = files(runbooks.rstrip("/"))
    differing = [name for name, text in wanted.items() if not _same(folder / name, text)]
    for name in differing:
        if check:
            print(f"{name} differs from what `otel-chatbot render` writes")
        else:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[name], encoding="utf-8", newline="\n")
            print(f"{name} written")
    if not differing:
        print(f"{len(wanted)} files are as they should be")
    return 1 if check and differing else 0


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text
