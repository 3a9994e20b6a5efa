"""What is rendered is written, shown or compared in a folder, and nothing of the user's is overwritten unasked."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_chatbot import config
from otel_chatbot.cli import render as command
from otel_chatbot.cli.render import RenderOptions, render

FILES = {"rules/alerts.yml": "a: 1\nb: 2\n", "prometheus.yml": "c: 3\n"}


@pytest.fixture(autouse=True)
def two_files(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two files are rendered; the addresses of runbooks that they were asked for with."""
    asked: list[str] = []
    monkeypatch.setattr(command, "files", lambda runbooks: asked.append(runbooks) or dict(FILES))
    monkeypatch.setattr(config, "current", config.Settings)
    return asked


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Lines:
    return Lines(capsys)


class Lines:
    """The lines that were printed since it was asked last."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self) -> list[str]:
        return self.capsys.readouterr().out.splitlines()


def test_what_is_missing_is_written_and_a_second_time_there_is_nothing_to_do(tmp_path: Path, said: Lines) -> None:
    assert render(RenderOptions(str(tmp_path / "new"))) == 0
    assert said() == ["rules/alerts.yml written", "prometheus.yml written"]
    assert {name: (tmp_path / "new" / name).read_text() for name in FILES} == FILES
    assert render(RenderOptions(root=str(tmp_path / "new"))) == 0
    assert said() == ["2 files are as they should be"]


def test_a_file_that_differs_is_shown_and_kept_until_it_is_forced(tmp_path: Path, said: Lines) -> None:
    render(RenderOptions(str(tmp_path)))
    own = tmp_path / "rules/alerts.yml"
    own.write_text("a: 1\nb: mine\n")
    said()
    assert render(RenderOptions(str(tmp_path))) == 1
    lines = said()
    assert {"-b: mine", "+b: 2", "rules/alerts.yml kept as it is"} <= set(lines)
    assert lines[-1] == "1 file differs and was kept: --force overwrites"
    (tmp_path / "prometheus.yml").write_text("")
    assert render(RenderOptions(str(tmp_path))) == 1
    assert said()[-1] == "2 files differ and were kept: --force overwrites"
    assert render(RenderOptions(str(tmp_path), force=True)) == 0
    assert "rules/alerts.yml overwritten" in said()
    assert own.read_text() == FILES["rules/alerts.yml"]


def test_without_a_folder_nothing_is_written_even_by_force(
    tmp_path: Path, said: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prometheus.yml").write_text("mine\n")
    assert render(RenderOptions(force=True)) == 0
    lines = said()
    assert "rules/alerts.yml would be written" in lines
    assert "prometheus.yml would be overwritten, with --force" in lines
    assert lines[-1] == "nothing was written: name a folder, as in: otel-chatbot render ."
    assert [path.name for path in tmp_path.iterdir()] == ["prometheus.yml"]


def test_a_check_names_each_file_that_differs_or_is_missing(tmp_path: Path, said: Lines) -> None:
    render(RenderOptions(str(tmp_path)))
    said()
    assert render(RenderOptions(str(tmp_path), check=True)) == 0
    assert said() == ["2 files are as they should be"]
    (tmp_path / "prometheus.yml").unlink()
    assert render(RenderOptions(str(tmp_path), check=True)) == 1
    assert said() == ["prometheus.yml differs from what `otel-chatbot render` writes"]
    assert not (tmp_path / "prometheus.yml").exists()


def test_a_long_difference_is_cut_and_says_how_much_was_left_out() -> None:
    shown = list(command._difference("f", "", "x\n" * 100))
    assert len(shown) == 41
    assert shown[-1] == "... 63 more lines"


@pytest.mark.parametrize(
    ("given", "passed"),
    [("https://wiki/books/", "https://wiki/books"), ("https://wiki/{page}/", "https://wiki/{page}/"), ("", command.RUNBOOKS)],
)
def test_the_address_of_runbooks_is_passed_on_without_a_slash_at_its_end(
    given: str, passed: str, tmp_path: Path, two_files: list[str]
) -> None:
    assert render(RenderOptions(str(tmp_path), runbooks=given)) == 0
    assert two_files == [passed]


def test_what_cannot_be_done_is_one_line_and_misuse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert render(RenderOptions(str(tmp_path / "file"))) == 2
    assert capsys.readouterr().err.startswith(f"{tmp_path / 'file'}: ")
    assert render(RenderOptions(str(tmp_path), runbooks="wiki/books")) == 2
    assert "wiki/books is not an absolute address: expected one like https://" in capsys.readouterr().err
