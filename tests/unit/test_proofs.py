"""The record of proofs: one section a title, replaced when it runs again, the others untouched."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.proofs import record_proof


def test_a_proof_that_runs_again_replaces_its_section_and_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "docs" / "proofs.md"
    monkeypatch.setenv("OTEL_CHATBOT_PROOFS", str(path))
    record_proof("first", requests=200_000, rss_growth_mb=0.25)
    record_proof("second", flat=True)
    once = path.read_text()
    record_proof("first", requests=10)

    text = path.read_text()
    assert [line for line in text.splitlines() if line.startswith("#")] == ["# Proofs", "## first", "## second"]
    assert "| requests | 200,000 |\n| rss growth mb | 0.25 |" in once
    assert "200,000" not in text
    assert "| requests | 10 |" in text
    assert "| flat | yes |" in text
    assert "proof: first: requests 200,000, rss growth mb 0.25" in capsys.readouterr().out


def test_without_a_file_the_figures_are_only_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("OTEL_CHATBOT_PROOFS", raising=False)
    record_proof("nowhere", figure=1)
    assert "proof: nowhere: figure 1" in capsys.readouterr().out
