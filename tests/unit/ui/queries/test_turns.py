"""The last turns: which requests they are, and what each came to."""

from __future__ import annotations

from pathlib import Path

from support.viewer import batch_of, chat, store, trace_request

from otel_chatbot.ui.queries.turns import turns


def test_turns_are_the_newest_first_with_what_each_came_to(tmp_path: Path) -> None:
    kept = store(tmp_path)
    probe = {"trace": 9, "span": 1, "name": "GET /health", "start": 50}
    kept.write(batch_of(trace_request(*chat(1, 1), *chat(2, 2, failed=True, cost=0.5, conversation="other"), probe)))
    with kept.reading() as db:
        second, first = turns(db)["turns"]
    kept.close()
    assert (first["trace"], first["conversation"], first["code"], first["failed"]) == (f"{1:032x}", "talk", 200, False)
    assert (first["ms"], first["models"], first["tokens_in"], first["tokens_out"]) == (500, ["gpt-4o-mini"], 30, 12)
    assert (second["failed"], second["error"], second["cost"], second["service"]) == (True, "error", 0.5, "shop")


def test_a_question_looks_at_a_bounded_number_of_requests(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.write(batch_of(trace_request(*(span for number in range(1, 121) for span in chat(number, number)))))
    many = ({"trace": number, "span": 1, "name": "GET /", "start": number} for number in range(1_000, 1_600))
    with kept.reading() as db:
        assert len(turns(db)["turns"]) == 50
    kept.write(batch_of(trace_request(*many)))
    with kept.reading() as db:
        assert turns(db)["turns"] == []
    kept.close()
