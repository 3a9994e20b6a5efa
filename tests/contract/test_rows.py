"""A row is a whole metric: something activates it, something records it, and a behaviour test drives it.

Each message says the command or the file that is missing. The package and the tests are read as text, below the folder that
this file is in, so that a copy of the repository is judged by itself.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv.spec import MetricSpec, Source

ROOT = Path(__file__).resolve().parents[2]
RECORDING = ("instrumentation", "metrics", "health", "distro", "logs", "quality")
"""Rooms that record."""
BEHAVIOUR = ("unit", "process", "stack")
"""Tests that run something."""
NO_BEHAVIOUR = ("unit/render", "unit/metrics", "stack/test_expressions.py")
"""Tests of how any row is kept, shown or asked for: they would pass although nothing ever records it."""
ROWS = {name: value for name, value in vars(m).items() if isinstance(value, MetricSpec)}


def uses(path: Path) -> Iterator[str]:
    """The rows that a file names as `m.ROW`, and the texts in it, which may be a metric's name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from node.value.replace("{", " ").split()


def recorded() -> set[str]:
    package = ROOT / "otel_chatbot"
    files = [path for room in RECORDING for path in (package / room).rglob("*.py")]
    return {use for path in files if path.name not in {"chatbot.py", "mirror_reader.py"} for use in uses(path)}


def driven() -> set[str]:
    tests = ROOT / "tests"
    files = [path for tier in BEHAVIOUR for path in (tests / tier).rglob("test_*.py")]
    return {use for path in files if not path.relative_to(tests).as_posix().startswith(NO_BEHAVIOUR) for use in uses(path)}


RECORDED, DRIVEN = recorded(), driven()
if "TOKENS" in RECORDED:  # recorded through their table, which says under which names they leave
    RECORDED |= {name for name, row in ROWS.items() if any(row is spec for spec, _ in m.TOKENS)}


@pytest.mark.parametrize("name", ROWS)
def test_something_records_the_row(name: str) -> None:
    assert name in RECORDED, f"nothing records {name}: call record.count, .observe or .put with m.{name} where it happens"


@pytest.mark.parametrize("name", ROWS)
def test_a_behaviour_test_drives_the_row(name: str) -> None:
    spec = ROWS[name]
    names = {name, spec.name, spec.prometheus, f"{spec.prometheus}_count", f"{spec.prometheus}_bucket"}
    assert DRIVEN & names, (
        f"no behaviour test drives {name}: write one in tests/unit/, tests/process/ or tests/stack/, beside the tests of the "
        f"module that records it, which makes it happen and asserts m.{name}"
    )


@pytest.mark.parametrize("spec", m.CHATBOT, ids=lambda spec: spec.python)
def test_a_public_row_says_what_fills_it(spec: MetricSpec) -> None:
    assert spec.sources, f"nothing fills {spec.python}: give its row in otel_chatbot/semconv/metrics.py a Source"


@pytest.mark.parametrize("source", Source, ids=lambda source: source.value)
def test_every_source_activates_its_rows(source: Source) -> None:
    room = ROOT / "otel_chatbot" / "instrumentation"
    calls = [
        path for path in room.rglob("*.py") if f"activate_source(Source.{source.name})" in path.read_text(encoding="utf-8")
    ]
    assert calls, f"no instrumentation calls record.activate_source(Source.{source.name}): the rows that name it never count"


def test_rows_are_activated_by_their_sources_alone() -> None:
    room = ROOT / "otel_chatbot"
    strays = [str(path) for path in room.rglob("*.py") if "record.activate(" in path.read_text(encoding="utf-8")]
    assert strays == [], "name the source in the row (otel_chatbot/semconv/metrics.py) and call record.activate_source"


def test_public_rows_come_first_as_they_are_listed() -> None:
    assert m.ALL[: len(m.CHATBOT)] == m.CHATBOT, (
        "put the row of a public metric among the first in otel_chatbot/semconv/metrics.py"
    )
