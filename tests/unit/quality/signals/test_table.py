"""The latest turns of conversations: shared by processes, of one size whatever comes, and never half of a record."""

from __future__ import annotations

import errno
import gc
import logging
import os
import tracemalloc
from pathlib import Path

import pytest

from otel_chatbot.quality.signals import table as tables
from otel_chatbot.quality.signals.sketch import MOST_WORDS, Question
from otel_chatbot.quality.signals.table import PAGE, PAGES, SLOTS, Table, Turn

ASKED = Question(2**64 - 1, (1, 2, 2**32 - 1))


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(lambda: str(tmp_path))


def digests_of_one_page(count: int) -> list[bytes]:
    """Digests of conversations that share a page."""
    return [(7).to_bytes(4, "little") + number.to_bytes(4, "little") for number in range(1, count + 1)]


@pytest.mark.parametrize(
    "turn",
    [
        Turn(12.5, ASKED, well=True, model=2**32 - 1),
        Turn(1.0, None, well=False),
        *(Turn(2.0, Question(7, tuple(range(words))), well=True) for words in (0, 1, MOST_WORDS)),
    ],
)
def test_another_process_of_the_run_finds_the_latest_turn(tmp_path: Path, turn: Turn) -> None:
    one, other = (Table(lambda: str(tmp_path)) for _ in range(2))
    digest = one.digest("c1")
    assert other.get(digest) is None
    one.put(digest, Turn(0.5, ASKED, well=True))
    one.put(digest, turn)
    assert (one.digest("c1"), one.secret()) == (other.digest("c1"), other.secret())
    assert other.get(digest) == turn


def test_runs_and_tables_without_a_folder_have_secrets_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    made = [Table(lambda: str(tmp_path)), Table(lambda: str(tmp_path / "other")), Table(lambda: None), Table(lambda: None)]
    assert len({table.digest("c1") for table in made}) == len({table.secret() for table in made}) == 4
    made[2].put(made[2].digest("c1"), Turn(1.0, ASKED, well=True))
    assert made[2].get(made[2].digest("c1")) == Turn(1.0, ASKED, well=True)


def test_only_the_user_of_the_process_can_read_the_file(table: Table, tmp_path: Path) -> None:
    table.put(table.digest("c1"), Turn(1.0, ASKED, well=True))
    [file] = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.stat().st_blocks * 512 <= 8 * PAGE, "the disk holds the pages that are used"


def test_where_a_page_is_full_its_oldest_conversation_is_forgotten(table: Table) -> None:
    digests = digests_of_one_page(SLOTS + 1)
    for number, digest in enumerate(digests[:-1]):
        table.put(digest, Turn(100.0 - number, ASKED, well=True))
    table.put(digests[-1], Turn(200.0, ASKED, well=True))
    assert [digest for digest in digests if table.get(digest) is None] == [digests[-2]]


def test_a_record_that_two_processes_wrote_at_once_is_none(table: Table, tmp_path: Path) -> None:
    digest = table.digest("c1")
    table.put(digest, Turn(12.5, ASKED, well=True))
    [file] = tmp_path.iterdir()
    content = bytearray(file.read_bytes())
    at = content.index(ASKED.whole.to_bytes(8, "little"))
    file.write_bytes(content[:at] + b"\0" + content[at + 1 :])
    assert Table(lambda: str(tmp_path)).get(digest) is None


def test_a_process_with_other_hashes_knows_that_it_cannot_compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = (Table(lambda: str(tmp_path)) for _ in range(2))
    one.put(one.digest("c1"), Turn(12.5, ASKED, well=True))
    monkeypatch.setattr(tables, "MARK", tables.MARK ^ 2)
    assert other.get(other.digest("c1")) == Turn(12.5, None, well=True)


def test_a_full_disk_leaves_the_table_to_its_process(
    table: Table, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    table.secret()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with caplog.at_level(logging.WARNING):
        for number in range(3):
            table.put(table.digest(f"c{number}"), Turn(float(number), ASKED, well=True))
    assert [table.get(table.digest(f"c{number}")) for number in range(3)] == [
        Turn(float(n), ASKED, well=True) for n in range(3)
    ]
    assert len(caplog.records) == 1
    assert "No space left" in caplog.text


def test_a_folder_that_cannot_be_written_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    table = Table(lambda: "/dev/null/none")
    with caplog.at_level(logging.WARNING):
        table.put(table.digest("c1"), Turn(1.0, ASKED, well=True))
    assert table.get(table.digest("c1")) == Turn(1.0, ASKED, well=True)
    assert len(caplog.records) == 1


def test_after_closing_the_table_is_opened_anew_and_what_was_written_is_there(table: Table) -> None:
    digest = table.digest("c1")
    table.put(digest, Turn(1.0, ASKED, well=True))
    table.close()
    assert table.get(digest) == Turn(1.0, ASKED, well=True)


def test_a_hundred_thousand_conversations_take_one_file_and_hardly_any_memory_of_python(
    table: Table, tmp_path: Path, scale: int
) -> None:
    count = min(100_000, 10_000 * scale)
    digests = [table.digest(f"conversation {number}") for number in range(count)]
    gc.collect()
    tracemalloc.start()
    try:
        for number, digest in enumerate(digests):
            table.put(digest, Turn(float(number), ASKED, well=True))
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    [file] = tmp_path.iterdir()
    assert grown < 1024 * 1024
    assert file.stat().st_size == (PAGES + 1) * PAGE == 16 * 1024 * 1024 + PAGE
    assert sum(table.get(digest) is not None for digest in digests) >= 0.998 * count
