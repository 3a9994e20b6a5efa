"""Flask's reloader: which process watches and serves nothing, by its command line or when it begins to watch."""

from __future__ import annotations

import pytest
import werkzeug._reloader

from otel_chatbot.distro.process.reloader import is_child, watch_reloader, will_watch


@pytest.mark.parametrize(
    ("words", "environ", "watches"),
    [
        ("flask run --debug", {}, True),
        ("/venv/bin/flask --app chat run --debug", {}, True),
        ("-m flask run --reload", {}, True),
        ("flask run", {"FLASK_DEBUG": "1"}, True),
        ("flask run", {"FLASK_DEBUG": "True"}, True),
        ("flask run --reload --no-debug", {}, True),
        ("flask run", {}, False),
        ("flask run", {"FLASK_DEBUG": "0"}, False),
        ("flask run", {"FLASK_DEBUG": "No"}, False),
        ("flask run --no-debug", {"FLASK_DEBUG": "1"}, False),
        ("flask run --debug --no-reload", {}, False),
        ("flask run --debug", {"WERKZEUG_RUN_MAIN": "true"}, False),
        ("flask routes --debug", {}, False),
        ("run flask --debug", {}, False),
        ("app.py run --debug", {}, False),
        ("", {"FLASK_DEBUG": "1"}, False),
    ],
)
def test_the_command_line_says_whether_this_process_will_watch(words: str, environ: dict[str, str], watches: bool) -> None:
    assert will_watch(words.split(), environ) is watches


def test_the_process_that_the_reloader_starts_is_known_by_werkzeugs_variable() -> None:
    assert is_child({"WERKZEUG_RUN_MAIN": "true"})
    assert not is_child({})


def test_who_begins_to_watch_goes_quiet_before_and_its_child_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr(werkzeug._reloader, "run_with_reloader", lambda main, *given, **how: order.append(main) or "ended")
    watch_reloader(lambda: order.append("quiet"))
    monkeypatch.delenv("WERKZEUG_RUN_MAIN", raising=False)
    assert werkzeug._reloader.run_with_reloader("watches") == "ended"  # type: ignore[arg-type]
    monkeypatch.setenv("WERKZEUG_RUN_MAIN", "true")
    werkzeug._reloader.run_with_reloader("serves")  # type: ignore[arg-type]
    assert order == ["quiet", "watches", "serves"]
