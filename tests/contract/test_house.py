"""The house as ARCHITECTURE.md describes it: files of a size that one reads at once, a test file per module, a true picture."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "otel_chatbot"
MOST, LEAST = 300, 30
SMALL = {
    "distro/delivery/tls.py": "requests is imported with the first post alone",
    "distro/delivery/otlp_values.py": "three rooms of distro/ need it, none of them the others",
    "instrumentation/flask/probes.py": "imported where Flask is not installed",
    "instrumentation/genai/transports/requests.py": "a file per library, which is imported with that library alone",
    "logs/escapes.py": "the one place that knows control characters, for formatters and console alike",
    "metrics/chatbot.py": "written by `otel-chatbot render`",
    "render/dashboards.py": "the boards import what it would be joined to",
    "semconv/operations.py": "names that no app sends",
    "semconv/prometheus.py": "names that nobody sends",
}
"""Files under `LEAST` lines, each with the reason why it is no part of its neighbour."""
LARGE = {
    "semconv/metrics.py": "one table, a row per metric",
}
"""Files over `MOST` lines, each with the reason why it is one."""
DATA = {f"semconv/{name}.py" for name in ("attributes", "collector", "logs", "metrics", "operations", "prometheus")}
"""Modules of names alone, without a function of their own: `test_names.py` and `test_rows.py` hold what they say."""
LINES = {
    path.relative_to(PACKAGE).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
    for path in PACKAGE.rglob("*.py")
    if path.name != "__init__.py"
}


def test_no_file_is_too_large_or_too_small_without_a_reason() -> None:
    large = {name for name, lines in LINES.items() if lines > MOST}
    small = {name for name, lines in LINES.items() if lines < LEAST}
    assert large <= set(LARGE), f"over {MOST} lines: split it, or give the reason in {Path(__file__).name}"
    assert small <= set(SMALL), f"under {LEAST} lines: join it to its neighbour, or give the reason in {Path(__file__).name}"


@pytest.mark.parametrize("name", [*SMALL, *LARGE])
def test_a_reason_is_of_a_file_that_needs_one(name: str) -> None:
    assert name in LINES, "the file is gone: its reason goes too"
    assert not LEAST <= LINES[name] <= MOST, "the file needs no reason any more"


def test_the_picture_of_the_rooms_is_what_the_imports_say() -> None:
    drawn = subprocess.run([sys.executable, ROOT / "scripts/rooms.py", "--check"], capture_output=True, text=True, check=False)
    assert drawn.returncode == 0, drawn.stdout + drawn.stderr


def test_each_module_has_a_test_file_that_one_finds_by_its_name() -> None:
    missing = {name for name in LINES if not any(path.is_file() for path in places_of_tests(name))} - DATA
    wanted = [f"{places_of_tests(name)[0].relative_to(ROOT)} for otel_chatbot/{name}" for name in sorted(missing)]
    assert not wanted, "write these test files (or the same ones under tests/process or tests/stack):\n" + "\n".join(wanted)
    assert set(LINES) >= DATA, "a module is gone: its name goes too"


def places_of_tests(name: str) -> list[Path]:
    """Where the test file of a module may be: the same folder in each tier, an underscore before the name left out."""
    module = Path(name)
    test = f"test_{module.stem.lstrip('_')}.py"
    return [ROOT / "tests" / tier / module.parent / test for tier in ("unit", "process", "stack")]
