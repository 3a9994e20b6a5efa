from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from support.viewer import BEGIN, batch_of, chat, log_request, store, trace_request

from otel_chatbot.ui import bounds

LEAST = 16 * 1024 * 1024


def test_the_file_keeps_its_limit_and_the_oldest_go_first(tmp_path: Path, scale: int) -> None:
    one = store(tmp_path, LEAST)
    filler = "word " * 300
    for start in range(0, 8000 * scale, 500):
        records = ({"body": f"record {number} {filler}", "at": number} for number in range(start, start + 500))
        one.write(batch_of(log_request(*records), trace_request(*chat(start + 1, start))))
        assert os.path.getsize(one.path) <= LEAST
    with one.reading() as db:
        oldest, newest, kept = db.execute("SELECT min(id), max(id), count(*) FROM log").fetchone()
        assert newest == 8000 * scale
        assert oldest > 1, "nothing had to go: the test does not reach the limit"
        assert kept == newest - oldest + 1
        found = db.execute("SELECT count(*) FROM log_text WHERE log_text MATCH 'record'").fetchone()[0]
        assert found == kept, "the text index knows rows that have gone"
    one.close()
    assert sum(os.path.getsize(path) for path in tmp_path.iterdir()) <= LEAST


def test_file_and_log_together_keep_the_limit_while_many_send_at_once(tmp_path: Path, scale: int) -> None:
    one = store(tmp_path, LEAST)
    batches = [
        batch_of(log_request(*({"body": f"record {part} {number} " + "word " * 100, "at": number} for number in range(500))))
        for part in range(36 * scale)
    ]
    most = 0
    with ThreadPoolExecutor(16) as senders:
        for _ in as_completed([senders.submit(one.write, batch) for batch in batches]):
            most = max(most, sum(path.stat().st_size for path in tmp_path.glob("ui.sqlite*")))
    with one.reading() as db:
        assert db.execute("SELECT min(id) FROM log").fetchone()[0] > 1, "nothing had to go: the test does not reach the limit"
    one.close()
    assert most <= LEAST


def test_what_is_too_old_goes_and_what_is_newer_stays(tmp_path: Path) -> None:
    one = store(tmp_path)
    one.write(batch_of(trace_request(*chat(1)), log_request({"body": "old"})))
    one.close()
    db = one._connect(-2000)  # the thread that writes has ended
    db.execute("UPDATE tick SET at = 1000")
    db.execute("INSERT INTO log (body, more) VALUES ('new', '{}')")
    assert bounds.shrink(db, bounds.Limits(LEAST, 500), now=1700)
    assert db.execute("SELECT body FROM log").fetchall() == [("new",)]
    assert db.execute("SELECT count(*) FROM span").fetchone() == (0,)
    db.close()


def test_a_conversation_goes_with_its_last_span(tmp_path: Path) -> None:
    one = store(tmp_path)
    one.write(batch_of(trace_request(*chat(1, conversation="old")), trace_request(*chat(2, 5000, conversation="new"))))
    one.close()
    db = one._connect(-2000)
    bounds._forget(db, BEGIN + 1000 * 10**9)
    assert db.execute("SELECT id FROM conversation").fetchall() == [("new",)]
    db.close()
