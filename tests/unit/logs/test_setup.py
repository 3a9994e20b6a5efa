"""Set-up writes each line once, where it was told to; a logger of `get_logger` creates nothing."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.logging_state import sink_into

from otel_chatbot import config
from otel_chatbot.logs import ChatbotLogger, get_logger, setup_logger


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with sink_into(tmp_path):
        yield tmp_path


def lines(folder: Path, name: str = "chatbot.json.log") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def test_a_logger_shows_its_level_and_creates_no_file(tmp_path: Path) -> None:
    with sink_into(tmp_path / "made"):
        assert repr(get_logger()) == "<Logger chatbot (INFO)>"
        assert not (tmp_path / "made").exists()
        get_logger().info("first")
        assert (tmp_path / "made" / "chatbot.json.log").exists()


def test_setup_writes_every_line_once_and_a_second_call_changes_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    root.handlers[:] = []
    setup_logger(log_dir=str(folder / "chosen"), log_level="WARNING", backup_count=2)
    setup_logger(log_dir=str(folder / "other"), log_level="DEBUG")
    ChatbotLogger.setup(log_dir=str(folder / "other"))
    logging.getLogger("anything").warning("once %s", "only")
    get_logger().info("below the level")
    assert [line["message"] for line in lines(folder / "chosen")] == ["once only"]
    assert not (folder / "other").exists()
    assert capsys.readouterr().err.count("once only") == 1
    assert len(root.handlers) == 1


@pytest.mark.parametrize(("environment", "json_console"), [("production", True), ("development", False)])
def test_the_console_is_json_in_production_and_text_in_development(
    environment: str, json_console: bool, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(config, "current", lambda: config.Settings(log_dir=str(folder), environment=environment))
    logging.getLogger().handlers[:] = []
    setup_logger()
    get_logger().info("shown", extra={"n": 1})
    shown = capsys.readouterr().err
    assert shown.count("shown") == 1
    assert shown.startswith("{") == json_console
    assert ("INFO     chatbot: shown  n=1" in shown) != json_console


def test_setup_without_console_or_json_writes_one_plain_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    root.handlers[:] = []
    setup_logger(log_dir=str(folder / "plain"), json_output=False, console_output=False)
    get_logger().error("a\nb", extra={"user_id": "u1"})
    assert sorted(path.name for path in (folder / "plain").glob("*.log")) == ["chatbot.log"]
    (line,) = (folder / "plain" / "chatbot.log").read_text().splitlines()
    assert "ERROR    chatbot: a\\nb  user_id=u1" in line
    assert not [handler for handler in root.handlers if isinstance(handler, logging.StreamHandler)]
    assert capsys.readouterr().err == ""


def test_setup_leaves_a_console_that_the_application_made(folder: Path) -> None:
    root = logging.getLogger()
    own = logging.StreamHandler(sys.stderr)
    root.handlers[:] = [own]
    setup_logger(log_dir=str(folder))
    assert root.handlers == [own]


def test_an_argument_goes_before_the_environment_and_that_before_the_default(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "current", lambda: config.Settings(log_dir=str(folder / "env"), log_level="DEBUG"))
    setup_logger(log_level="INFO", console_output=False)
    logging.getLogger("x").debug("too low")
    logging.getLogger("x").info("kept")
    assert [line["message"] for line in lines(folder / "env")] == ["kept"]


def test_an_unknown_level_is_info_and_a_line_says_so(folder: Path) -> None:
    setup_logger(log_dir=str(folder), log_level="LOUD", console_output=False)
    assert logging.getLogger().level == logging.INFO
    assert "LOUD" in lines(folder)[0]["message"]
