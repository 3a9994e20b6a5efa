from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.viewer import batch_of, chat, store, trace_request

from otel_chatbot.ui.api import Api
from otel_chatbot.ui.pages import VIEWS, Pages


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    kept = store(tmp_path_factory.mktemp("api"))
    for number in range(1, 4):
        kept.write(batch_of(trace_request(*chat(number, number, conversation="a/b <c>"))))
    yield Api(kept, lambda: {"folders": ["/logs"]}, lambda: {"well": True})
    kept.close()


def test_questions_lead_to_their_answers(api: Api) -> None:
    for path in ("state", "doctor", "conversations", "traces", "logs", "errors", "now", "metrics", "routes", "turns"):
        assert isinstance(api.answer(f"/api/{path}", {}), dict), path
    assert api.answer("/api/nothing", {}) is None
    assert api.answer("/api/now/more", {}) is None
    assert api.answer("/api/conversations/a%2Fb%20%3Cc%3E", {})["turns"] == 3  # type: ignore[index]


@pytest.mark.parametrize("wrong", ["", "x", "-5", "1e999", "nan", "9" * 400, "٣", "1.5", " 1"])
def test_a_parameter_that_is_no_number_counts_as_not_given(api: Api, wrong: str) -> None:
    for path in ("conversations", "traces", "logs", "now"):
        asked = dict.fromkeys(("before", "after", "slow", "cost", "window"), wrong)
        assert isinstance(api.answer(f"/api/{path}", asked), dict)


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("conversations", {"text": "nobody", "user": "nobody", "model": "none", "failed": "1", "slow": "1e9", "cost": "1000", "before": "1"}),
        ("traces", {"text": "nobody", "route": "/none", "status": "5", "failed": "1", "slow": "1e9", "attribute": " none ", "before": "1"}),
    ],
)  # fmt: skip
def test_each_parameter_narrows_its_list(api: Api, path: str, asked: dict[str, str]) -> None:
    def rows(**given: str) -> int:
        return len(api.answer(f"/api/{path}", given)[path])  # type: ignore[index]

    assert rows() > 0
    assert {name: rows(**{name: value}) for name, value in asked.items()} == dict.fromkeys(asked, 0)


def test_every_view_has_its_page_and_only_files_of_the_table_are_served() -> None:
    pages = Pages()
    index = pages.find("/")
    assert index is not None
    assert b'<script type="module" src="/static/main.js">' in index[0]
    assert {pages.find(f"/{view}") for view in VIEWS} == {index}
    for path in ("/static/api.py", "/static/../api.py", "static/main.js", "/main.js", "/etc/passwd"):
        assert pages.find(path) is None


def test_the_pages_name_no_other_host_and_write_no_markup() -> None:
    folder = Path(__file__).parents[3] / "otel_chatbot/ui/static"
    for path in folder.iterdir():
        text = path.read_text()
        assert "https://" not in text, path.name
        for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", 'style="'):
            assert way not in text, (path.name, way)
