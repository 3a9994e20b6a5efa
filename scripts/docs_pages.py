"""A hook of mkdocs: it adds pages from outside of docs/ to the site and makes links work both there and in the repository.

Fed by mkdocs and the repository's Markdown files; feeds the site. In the repository a page keeps its links. For the site they
are rewritten to the site's pages; a link to a file that is no page becomes plain text with its path.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parent.parent
OUTSIDE = (
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "collector/README.md",
    "examples/chatbot/README.md",
)
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s]*)(#[^)\s]*)?\)")
_ELSEWHERE = ("http://", "https://", "mailto:")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages from outside."""
    for name in OUTSIDE:
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, f"project/{name}", content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:  # noqa: ARG001
    """Rewrite the links."""
    uri = page.file.src_uri
    outside = uri.removeprefix("project/") if uri.startswith("project/") else None
    here = outside or f"docs/{uri}"

    def turned(match: re.Match[str]) -> str:
        image, text, target, anchor = match[1], match[2], match[3], match[4] or ""
        if not target or target.startswith(_ELSEWHERE):
            return match[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(here), target))
        if not (ROOT / path).exists():
            return match[0]  # then mkdocs warns about it
        found = path.removeprefix("docs/") if path.startswith("docs/") else f"project/{path}" if path in OUTSIDE else ""
        if found and (image or files.get_file_from_path(found)):
            return f"{image}[{text}]({posixpath.relpath(found, posixpath.dirname(uri) or '.')}{anchor})"
        return f"{text} (`{path}`)" if text.strip("`") != path else f"`{path}`"

    parts = re.split(r"(```.*?```)", markdown, flags=re.DOTALL)
    return "".join(part if part.startswith("```") else _LINK.sub(turned, part) for part in parts)
