from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from support.viewer import chat, log_request, store, trace_request

from otel_chatbot.distro.delivery.spool import Payload, Spool
from otel_chatbot.semconv.attributes import Signal
from otel_chatbot.ui.files import Place
from otel_chatbot.ui.spooled import Spooled
from otel_chatbot.ui.store import Store


def filled(folder: Path) -> Spool:
    spool = Spool(folder, 1 << 24, lambda _payload: None)
    spool.put(Payload(Signal.TRACES, gzip.compress(trace_request(*chat(1)).SerializeToString()), "gzip"))
    spool.put(Payload(Signal.TRACES, trace_request(*chat(1), *chat(2)).SerializeToString()))
    spool.put(Payload(Signal.LOGS, log_request({"body": "waits"}).SerializeToString()))
    spool.put(Payload(Signal.TRACES, b"\xff\xff no protobuf"))
    return spool


def counts(kept: Store) -> tuple[int, int]:
    with kept.reading() as db:
        return db.execute("SELECT (SELECT count(*) FROM span), (SELECT count(*) FROM log)").fetchone()


@pytest.mark.parametrize(("log_files", "records"), [(True, 0), (False, 1)])
def test_what_waits_is_read_once_over_a_restart_and_left_where_it_is(tmp_path: Path, log_files: bool, records: int) -> None:
    spool = filled(tmp_path / "spool")
    (tmp_path / "spool" / "somebody-elses.txt").write_text("no payload")
    before = {path: path.read_bytes() for path in spool.folder.iterdir()}
    place = Place(str(tmp_path), spool=str(spool.folder), log_files=log_files)
    for _ in range(2):
        kept = store(tmp_path)
        spooled = Spooled(kept)
        for _ in range(2):
            spooled.round([place, Place(str(tmp_path), spool=str(tmp_path / "nowhere"))])
        assert counts(kept) == (6, records)
        kept.close()
    assert {path: path.read_bytes() for path in spool.folder.iterdir()} == before


def test_a_file_that_was_sent_between_the_look_and_the_reading_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = filled(tmp_path / "spool")
    names = [path.name for path in spool.files()]
    spool.purge()
    kept = store(tmp_path)
    monkeypatch.setattr("otel_chatbot.ui.spooled.os.listdir", lambda _path: names)
    Spooled(kept).round([Place(str(tmp_path), spool=str(spool.folder))])
    assert counts(kept) == (0, 0)
    kept.close()
