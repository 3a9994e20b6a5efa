"""`otel-chatbot render`: every file is written, what differs is shown, and nothing of a user's is overwritten unasked."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from otel_chatbot import config, render
from otel_chatbot.cli import main


def test_render_writes_every_file_and_check_then_finds_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", "--root", str(tmp_path), "--check"]) == 1
    assert capsys.readouterr().out.count("differs") == len(render.files())
    assert not list(tmp_path.iterdir()), "a check writes nothing"
    assert main(["render", "--root", str(tmp_path)]) == 0
    written = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert written == render.files()
    assert main(["render", "--root", str(tmp_path), "--check"]) == 0


def test_check_fails_and_names_the_file_that_was_changed_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["render", "--root", str(tmp_path)])
    rules = tmp_path / "prometheus/rules/alerts.yml"
    changed = rules.read_text().replace('for: "3m"', 'for: "30m"')
    rules.write_text(changed)
    capsys.readouterr()
    assert main(["render", "--root", str(tmp_path), "--check"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "prometheus/rules/alerts.yml differs from what `otel-chatbot render` writes"
    ]
    assert rules.read_text() == changed
    assert main(["render", str(tmp_path), "--force"]) == 0
    assert rules.read_text() == render.files()["prometheus/rules/alerts.yml"]


def test_a_file_that_differs_is_shown_and_kept_unless_forced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["render", str(tmp_path)])
    rules, missing = tmp_path / "prometheus/rules/alerts.yml", tmp_path / "prometheus/prometheus.yml"
    changed = rules.read_text().replace('for: "3m"', 'for: "30m"', 1)
    rules.write_text(changed)
    missing.unlink()
    capsys.readouterr()
    assert main(["render", str(tmp_path)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert {'-        for: "30m"', '+        for: "3m"', "prometheus/rules/alerts.yml kept as it is"} <= set(said)
    assert "prometheus/prometheus.yml written" in said
    assert said[-1] == "1 file differs and was kept: --force overwrites"
    assert rules.read_text() == changed
    assert missing.exists()
    assert main(["render", str(tmp_path), "--force"]) == 0
    assert "prometheus/rules/alerts.yml overwritten" in capsys.readouterr().out.splitlines()
    assert main(["render", str(tmp_path), "--check"]) == 0


def test_without_a_folder_it_is_shown_what_would_change_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prometheus").mkdir()
    own = tmp_path / "prometheus/prometheus.yml"
    own.write_text("scrape_configs: []\n")
    assert main(["render", "--force"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert "-scrape_configs: []" in said
    assert "prometheus/prometheus.yml would be overwritten, with --force" in said
    assert "prometheus/rules/alerts.yml would be written" in said
    assert said[-1] == "nothing was written: name a folder, as in: otel-chatbot render ."
    assert [path.name for path in tmp_path.rglob("*")] == ["prometheus", "prometheus.yml"]
    assert own.read_text() == "scrape_configs: []\n"


@pytest.mark.parametrize("there", [b"\xff\xfe no text", b"", b"x\n" * 5000])
def test_whatever_stands_in_a_files_place_is_shown_in_bounds_and_kept(
    there: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "prometheus").mkdir()
    (tmp_path / "prometheus/prometheus.yml").write_bytes(there)
    assert main(["render", str(tmp_path)]) == 1
    assert (tmp_path / "prometheus/prometheus.yml").read_bytes() == there
    assert len(capsys.readouterr().out.splitlines()) < 100


def test_a_folder_that_cannot_be_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["render", str(tmp_path / "file")]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "Not a directory" in line


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://wiki.example/runbooks/", "https://wiki.example/runbooks/chatbot-no-data.md"),
        ("http://docs.example", "http://docs.example/chatbot-no-data.md"),
        ("https://docs.example/{page}/", "https://docs.example/chatbot-no-data/"),
        ("https://docs.example/?page={page}", "https://docs.example/?page=chatbot-no-data"),
    ],
)
@pytest.mark.parametrize("by", ["option", "setting"])
def test_the_runbooks_may_be_served_elsewhere(
    base: str, url: str, by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if by == "setting":
        monkeypatch.setattr(config, "current", lambda: config.Settings.from_env({"CHATBOT_OTEL_RUNBOOKS": base}))
    assert main(["render", str(tmp_path), *(["--runbooks", base] if by == "option" else [])]) == 0
    groups = yaml.safe_load((tmp_path / "prometheus/rules/alerts.yml").read_text())["groups"]
    urls = {rule["annotations"]["runbook_url"] for group in groups for rule in group["rules"]}
    assert url in urls
    assert all(each.startswith(base.partition("{")[0].rstrip("/")) for each in urls)


@pytest.mark.parametrize("base", ["docs/runbooks", "wiki.example/runbooks", "ftp://wiki.example"])
def test_a_base_that_is_no_absolute_address_is_refused(base: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", str(tmp_path), "--runbooks", base]) == 2
    assert "expected one like https://" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
