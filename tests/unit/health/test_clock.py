"""The time of the health answers, and for how long the process has been running."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from otel_chatbot.health import clock


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0.0, "1970-01-01T00:00:00.000Z"), (1.9996, "1970-01-01T00:00:01.999Z"), (1_700_000_000.25, "2023-11-14T22:13:20.250Z")],
)
def test_a_moment_is_written_in_utc_with_milliseconds(seconds: float, written: str) -> None:
    assert clock.utc(seconds) == written


def test_without_a_moment_it_is_now() -> None:
    before = clock.utc(time.time())
    assert before <= clock.utc() <= clock.utc(time.time())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", before)


def test_a_process_counts_from_its_own_start_and_not_from_the_import() -> None:
    code = """
import sys
sys.stdin.readline()
from otel_chatbot.health import clock
clock._imported = clock.monotonic()
print(clock.uptime())
"""
    before = time.monotonic()
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    started = time.monotonic()
    time.sleep(0.1)
    waited = time.monotonic() - started - 0.02  # the kernel counts in hundredths
    answer, _ = child.communicate("\n", timeout=60)
    assert 0 < waited <= float(answer) <= time.monotonic() - before + 0.02


def test_a_program_whose_name_looks_like_fields_is_read_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = ["S", *map(str, range(4, 60))]
    fields[19] = str(250 * os.sysconf("SC_CLK_TCK"))
    stat = tmp_path / "stat"
    stat.write_text(f"17 (app) 1 2 (x y)) {' '.join(fields)}\n")
    monkeypatch.setattr(clock, "Path", lambda _: stat)
    assert clock._started_after_boot() == 250


@pytest.mark.parametrize("content", [None, "", "17 (app) S 1"])
def test_where_the_system_does_not_tell_the_import_is_the_start(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stat = tmp_path / "stat"
    if content is not None:
        stat.write_text(content)
    monkeypatch.setattr(clock, "Path", lambda _: stat)
    monkeypatch.setattr(clock, "_imported", clock.monotonic() - 1000)
    assert 1000 <= clock.uptime() < 1060
