"""The event of a rating: in the names of the conventions, on its answer's span, with a comment only where content is captured."""

from __future__ import annotations

from pathlib import Path

import pytest
from opentelemetry import _logs
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from support.rated import rated

from otel_chatbot.logs import sink
from otel_chatbot.logs.files import LogFiles
from otel_chatbot.quality import evaluation
from otel_chatbot.quality.answer_ids import NO_SPAN
from otel_chatbot.quality.scores import rating_of
from otel_chatbot.quality.token import Answer

ANSWER = Answer(b"\1" * 16, b"\2" * 8, 1, "gpt-4o-mini", "1.4.2", "chatcmpl-7", 1_700_000_000)
EVALUATION = {
    "gen_ai.evaluation.name": "user_feedback",
    "gen_ai.evaluation.score.value": 0.75,
    "gen_ai.evaluation.score.label": "4",
    "chatbot.feedback.rating": "4",
    "chatbot.feedback.before": "up",
    "gen_ai.response.id": "chatcmpl-7",
    "gen_ai.request.model": "gpt-4o-mini",
    "chatbot.release": "1.4.2",
}


def test_the_event_is_on_the_span_of_its_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with rated(monkeypatch, tmp_path) as events:
        evaluation.tell(ANSWER, rating_of(4), "up", None, "a comment")
    (entry,) = events.entries
    assert entry.span is not None
    assert (entry.span.trace_id, entry.span.span_id) == (int("01" * 16, 16), int("02" * 8, 16))
    fields = entry.fields or {}
    assert EVALUATION.items() <= fields.items()
    assert fields["otel.event.name"] == "gen_ai.evaluation.result"
    assert (fields["trace_id"], fields["span_id"]) == ("01" * 16, "02" * 8)
    assert "gen_ai.evaluation.explanation" not in fields


@pytest.mark.parametrize("settings", [{"capture_content": True}, {"message_content": "span_only"}])
def test_a_comment_is_told_redacted_and_bounded_where_content_is_captured(
    settings: dict[str, object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with rated(monkeypatch, tmp_path, **settings) as events:
        evaluation.tell(
            ANSWER, rating_of(True), None, "label of ada@example.org" * 10, "write to ada@example.org " + "x" * 9000
        )
    (fields,) = events.fields
    text = str(fields["gen_ai.evaluation.explanation"])
    assert text.startswith("write to ")
    assert "ada@example.org" not in str(fields)
    assert len(text) <= evaluation.LONGEST_COMMENT
    assert len(str(fields["gen_ai.evaluation.score.label"])) <= evaluation.LONGEST_LABEL


def test_an_answer_without_a_span_has_an_event_without_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with rated(monkeypatch, tmp_path) as events:
        evaluation.tell(ANSWER._replace(flags=NO_SPAN), rating_of(True), None, None, None)
    (entry,) = events.entries
    assert entry.span is not None
    assert not entry.span.is_valid
    assert "trace_id" not in (entry.fields or {})


def test_the_event_is_in_the_file_whatever_the_log_level(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with rated(monkeypatch, tmp_path):
        files = LogFiles(str(tmp_path / "logs"))
        monkeypatch.setattr(sink.SINK, "files", files)
        monkeypatch.setattr(sink.SINK, "level", 50)
        evaluation.tell(ANSWER, rating_of(4), "up", None, None)
        files.close()
    line = (tmp_path / "logs" / "chatbot.json.log").read_text()
    assert '"gen_ai.evaluation.score.value":0.75' in line
    assert '"span_id":"0202020202020202"' in line


def test_where_the_sink_feeds_nobody_the_apps_own_logger_provider_gets_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    exporter = InMemoryLogRecordExporter()
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    monkeypatch.setattr(_logs, "get_logger", provider.get_logger)
    with rated(monkeypatch, tmp_path):
        monkeypatch.setattr(sink.SINK, "takers", ())
        evaluation.tell(ANSWER, rating_of(4), "up", None, None)
    (found,) = exporter.get_finished_logs()
    record = found.log_record
    assert record.event_name == "gen_ai.evaluation.result"
    assert (record.trace_id, record.span_id) == (int("01" * 16, 16), int("02" * 8, 16))
    assert dict(record.attributes or {}) == EVALUATION
