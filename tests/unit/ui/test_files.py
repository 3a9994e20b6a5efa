from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from support.viewer import chat, store, trace_request

from otel_chatbot.ui.files import Follower, Place
from otel_chatbot.ui.store import Store

from .test_ingest import as_otlp_json


def trace_line(number: int) -> str:
    return json.dumps(as_otlp_json(trace_request(*chat(number)))) + "\n"


def log_line(text: str, **more: Any) -> str:
    said = {
        "timestamp": "2026-11-28T05:32:12.523Z",
        "level": "INFO",
        "logger": "chatbot",
        "message": text,
        "module": "views",
        "function": "chat",
        "line": 5,
    }
    return json.dumps({**said, **more}) + "\n"


def bodies(kept: Store) -> list[str]:
    with kept.reading() as db:
        return [body for (body,) in db.execute("SELECT body FROM log ORDER BY id")]


def read(follower: Follower, folder: Path) -> None:
    while follower.round([Place(str(folder), "shop")]):
        pass


def test_lines_are_read_once_as_they_come_and_over_a_restart_of_the_viewer(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    kept = store(tmp_path)
    follower = Follower(kept)
    read(follower, logs)
    file = logs / "chatbot.json.log"
    file.write_text(log_line("one") + log_line("two") + '{"half')
    read(follower, logs)
    assert bodies(kept) == ["one", "two"]
    file.write_text(log_line("one") + log_line("two") + log_line("three"))
    kept.close()
    kept = store(tmp_path)
    read(Follower(kept), logs)
    assert bodies(kept) == ["one", "two", "three"]
    kept.close()


def test_a_rotated_file_is_read_to_its_end_and_the_new_one_from_its_beginning(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    kept = store(tmp_path)
    follower = Follower(kept)
    file = logs / "chatbot.json.log"
    file.write_text(log_line("first"))
    read(follower, logs)
    with file.open("a") as more:
        more.write(log_line("just before the rotation"))
    file.rename(logs / "chatbot.json.log.1")
    file.write_text(log_line("of the new file, which begins otherwise"))
    read(follower, logs)
    assert bodies(kept) == ["first", "just before the rotation", "of the new file, which begins otherwise"]
    kept.close()


def test_spans_of_several_processes_files_come_together_and_broken_lines_are_counted_and_left_out(tmp_path: Path) -> None:
    kept = store(tmp_path)
    (tmp_path / "traces.otlp.jsonl").write_text(trace_line(1) + "{broken\n" + trace_line(2))
    (tmp_path / "traces.otlp.1.jsonl").write_text(trace_line(3))
    (tmp_path / "traces.otlp.jsonl.1").write_text(trace_line(4))
    (tmp_path / "somebody-elses.jsonl").write_text(trace_line(5))
    (tmp_path / "chatbot.json.log").write_text(
        "[1, 2]\nnothing\n" + log_line("whole", level="ERROR", trace_id="zz") + log_line("well")
    )
    follower = Follower(kept)
    read(follower, tmp_path)
    with kept.reading() as db:
        assert db.execute("SELECT count(DISTINCT trace), count(*) FROM span").fetchone() == (4, 12)
    assert bodies(kept) == ["well"]
    assert follower.broken == 4
    kept.close()


def test_an_error_keeps_its_exception_its_place_and_its_app(tmp_path: Path) -> None:
    kept = store(tmp_path)
    exception = {"type": "ValueError", "message": "<script>", "stack": "Traceback …"}
    (tmp_path / "chatbot.json.log").write_text(
        log_line("failed", level="ERROR", trace_id="ab" * 16, exception=exception, user="ada")
    )
    read(Follower(kept), tmp_path)
    with kept.reading() as db:
        assert db.execute("SELECT kind, place, signal, count, hex(trace) FROM problem").fetchall() == [
            ("ValueError", "views.chat:5", "log", 1, "AB" * 16)
        ]
        more, at = db.execute("SELECT more, at FROM log").fetchone()
        assert json.loads(more)["x"] == exception
        assert json.loads(more)["a"] == {"user": "ada"}
        assert at == 1795843932523000000
        assert db.execute("SELECT service FROM resource").fetchall() == [("shop",)]
    kept.close()


def test_nothing_is_written_where_the_app_writes(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "chatbot.json.log").write_text(log_line("one"))
    before = {path: path.stat().st_mtime_ns for path in (logs, *logs.iterdir())}
    logs.chmod(0o500)
    kept = store(tmp_path)
    read(Follower(kept), logs)
    kept.close()
    logs.chmod(0o700)
    assert {path: path.stat().st_mtime_ns for path in (logs, *logs.iterdir())} == before
