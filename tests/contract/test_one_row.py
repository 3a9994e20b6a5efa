"""A metric is one row, the line that records it, and a test of that: tried for real, in a copy of the repository.

The copy gets a public counter of turned-away requests. `otel-chatbot render` brings the facade, the reference page and the
default panel; without a behaviour test the copy is red and says so.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.process import clean_env

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("otel_chatbot", "tests", "docs", "grafana", "prometheus", "pyproject.toml")

ROW = """
TURNED_AWAY = _counter(
    "chatbot.turned_away", "{request}", "Requests that were turned away", (a.HTTP_ROUTE,), "turned_away", Source.FLASK
)
"""
BEFORE_ROW = "\n# Our own beside them."
RECORDS = """
    if status == 429:
        record.count(m.TURNED_AWAY, 1, {a.HTTP_ROUTE: route})
"""
BEFORE_RECORDS = "    if error is not None:"
BEHAVIOUR = '''"""Requests that were turned away."""

from flask import Flask, abort
from support.databases import Figures
from support.flask_hooks import hooked

from otel_chatbot.semconv import metrics as m


def test_a_request_that_is_turned_away_is_counted_by_its_route() -> None:
    app = Flask("toy")
    app.get("/chat/<id>")(lambda id: abort(429))
    seen = Figures()
    with hooked():
        app.test_client().get("/chat/7")
    assert seen.named(m.TURNED_AWAY) == [({"http.route": "/chat/<id>"}, 1)]
'''


def insert(path: Path, text: str, before: str) -> None:
    found = path.read_text()
    assert found.count(before) == 1, f"{path.name} has changed: {before!r}"
    path.write_text(found.replace(before, text + before))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository with one row and one line more, and rendered."""
    root = tmp_path_factory.mktemp("copy")
    for name in COPIED:
        source = ROOT / name
        ignored = shutil.ignore_patterns("__pycache__", "node_modules")
        shutil.copytree(source, root / name, ignore=ignored) if source.is_dir() else shutil.copy(source, root)
    insert(root / "otel_chatbot/semconv/metrics.py", ROW, BEFORE_ROW)
    figures = root / "otel_chatbot/instrumentation/flask/figures.py"
    insert(figures, RECORDS.lstrip("\n"), BEFORE_RECORDS)
    insert(figures, "from ...metrics import record\n", "from ...metrics.deduplication import")
    assert python(root, "from otel_chatbot.cli import main; main(['render', '--force', '.'])") == 0
    return root


def python(root: Path, code: str) -> int:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=clean_env({"PYTHONPATH": str(root)}), check=False
    ).returncode


def judged(root: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", *tests]
    env = clean_env({"PYTHONPATH": str(root)})
    return subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, timeout=240, check=False)


def test_the_facade_the_reference_and_the_default_panel_follow(copy: Path) -> None:
    code = "import otel_chatbot; from otel_chatbot import turned_away, get_all_metrics; turned_away.inc(2); "
    told = "assert get_all_metrics()['chatbot_turned_away_total']['value'] == 2, get_all_metrics()"
    assert python(copy, f"{code} assert 'turned_away' in otel_chatbot.__all__; {told}") == 0
    page = (copy / "docs/reference/metrics.md").read_text()
    assert (
        "| `turned_away` | `chatbot.turned_away` | counter | `{request}` | `chatbot_turned_away_total` | `http.route` |" in page
    )
    boards = [json.loads(path.read_text()) for path in (copy / "grafana/dashboards").rglob("*.json")]
    titles = {panel["title"] for board in boards for panel in board["panels"]}
    assert "chatbot_turned_away_total, per second" in titles


def test_without_a_behaviour_test_the_row_is_red_and_says_so_and_with_one_it_is_green(copy: Path) -> None:
    rows = "tests/contract/test_rows.py"
    red = judged(copy, rows)
    assert red.returncode == 1, red.stdout + red.stderr
    assert "1 failed" in red.stdout
    assert "no behaviour test drives TURNED_AWAY: write one in tests/unit/" in red.stdout
    behaviour = copy / "tests/unit/instrumentation/flask/test_turned_away.py"
    behaviour.write_text(BEHAVIOUR)
    green = judged(copy, rows, str(behaviour.relative_to(copy)))
    assert green.returncode == 0, green.stdout + green.stderr


def test_a_row_without_a_source_is_red_and_names_the_file(copy: Path) -> None:
    table = copy / "otel_chatbot/semconv/metrics.py"
    whole = table.read_text()
    table.write_text(whole.replace('"turned_away", Source.FLASK', '"turned_away"'))
    red = judged(copy, "tests/contract/test_rows.py", "-k", "turned_away or TURNED_AWAY")
    table.write_text(whole)
    assert "nothing fills turned_away: give its row in otel_chatbot/semconv/metrics.py a Source" in red.stdout


def test_what_was_not_rendered_is_red_and_names_the_command(copy: Path) -> None:
    facade = copy / "otel_chatbot/__init__.py"
    whole = facade.read_text()
    facade.write_text(whole.replace('    "turned_away",\n', ""))
    red = judged(copy, "tests/contract/test_rendered_files.py", "-k", "committed and __init__")
    facade.write_text(whole)
    assert red.returncode == 1
    assert "run `otel-chatbot render`" in red.stdout
