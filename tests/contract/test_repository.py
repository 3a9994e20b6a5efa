"""The rules that the tree keeps: names once, small files, no address of a registry, no path of a machine."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_chatbot.semconv import attributes, metrics

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "otel_chatbot"


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / line for line in listed.splitlines() if (ROOT / line).is_file()]


def texts() -> Iterator[tuple[Path, str]]:
    for path in tracked():
        if path.suffix not in {".png", ".ico"}:
            yield path, path.read_text(encoding="utf-8")


def test_no_file_names_a_package_index_or_a_path_of_a_machine() -> None:
    host = re.compile(r"(pypi\.org|pythonhosted|registry\.npmjs|proxy\.golang|deb\.debian|--index-url|--extra-index)")
    place = re.compile(r"(/root/|/home/\w+/|/work/)")
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path, text in texts()
        if path != Path(__file__)
        for match in [host.search(text) or place.search(text)]
        if match
    ]
    assert found == []


def literals(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def test_a_telemetry_name_is_written_in_semconv_only() -> None:
    names = set(metrics.BY_NAME) | {
        value for name, value in vars(attributes).items() if name.isupper() and isinstance(value, str)
    }
    strays = [
        f"{path.relative_to(ROOT)}: {literal!r}"
        for path in PACKAGE.rglob("*.py")
        if path.parent.name != "semconv"
        for literal in literals(path)
        if literal in names
    ]
    assert strays == []


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_is_one_idea_and_says_where_it_stands(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 320
    if text.strip():
        assert ast.get_docstring(ast.parse(text)), "a module's first lines say what feeds it and what it feeds"


def test_the_locks_carry_hashes_and_mirror_the_project() -> None:
    for name in ("project", "test"):
        text = (ROOT / f"requirements/{name}.txt").read_text()
        pinned = re.findall(r"^\S+==\S+", text, re.MULTILINE)
        assert pinned
        assert text.count("--hash=sha256:") >= len(pinned)
