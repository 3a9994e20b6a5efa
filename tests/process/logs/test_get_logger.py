"""`get_logger()` alone shows what it logs on the console, and gets out of the way of whatever the application sets up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.process import clean_env

START = """
import logging, logging.config, sys
from otel_chatbot import get_logger, setup_logger
"""


def console(folder: Path, code: str, **env: str) -> list[str]:
    """What a program writes to stderr, without times."""
    done = subprocess.run(
        [sys.executable, "-c", START + code],
        cwd=folder,
        env=clean_env(env),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    return [line.split(" ", 2)[2] if line[:2] == "20" else line for line in done.stderr.splitlines()]


def test_a_logger_shows_info_where_nothing_is_set_up(tmp_path: Path) -> None:
    code = "get_logger().info('i'); get_logger('a.b').warning('w'); get_logger('a.b').debug('d')"
    assert console(tmp_path, code) == ["INFO     chatbot: i", "WARNING  a.b: w"]


def test_in_production_it_shows_json_and_the_level_is_log_level(tmp_path: Path) -> None:
    [line] = console(tmp_path, "get_logger().info('i')", ENVIRONMENT="production")
    assert line.startswith('{"timestamp":')
    assert console(tmp_path, "get_logger().debug('d')", CHATBOT_OTEL_LOG_LEVEL="DEBUG") == ["DEBUG    chatbot: d"]


def test_children_are_shown_once_and_other_loggers_go_where_they_went(tmp_path: Path) -> None:
    code = """
get_logger("a.b"), get_logger("a"), get_logger("a")
logging.getLogger("a.b.c").info("child")
logging.getLogger("ab").info("no child"); logging.getLogger("ab").warning("last resort")
logging.getLogger().warning("root")
"""
    assert console(tmp_path, code) == ["INFO     a.b.c: child", "last resort", "root"]


SET_UP_LATER = {
    "basicConfig": "logging.basicConfig(level=logging.INFO, format='app %(message)s')",
    "basicConfig by force": "logging.basicConfig(level=logging.INFO, format='app %(message)s', force=True)",
    "dictConfig": """
logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, "formatters": {"f": {"format": "app %(message)s"}},
    "handlers": {"h": {"class": "logging.StreamHandler", "formatter": "f"}}, "root": {"handlers": ["h"], "level": "INFO"}})
""",
    "a handler for loggers without one": """
if not log.handlers and not log.hasHandlers():
    h = logging.StreamHandler(); h.setFormatter(logging.Formatter("app %(message)s")); log.addHandler(h)
""",
    "no propagation": """
h = logging.StreamHandler(); h.setFormatter(logging.Formatter("app %(message)s")); log.addHandler(h); log.propagate = False
""",
}


@pytest.mark.parametrize("way", SET_UP_LATER)
def test_what_the_application_sets_up_later_shows_each_record_once(way: str, tmp_path: Path) -> None:
    code = f"log = get_logger('shop')\nlog.info('early')\n{SET_UP_LATER[way]}\nlog.info('late')\nassert len(logging.getLogger().handlers) <= 1"
    assert console(tmp_path, code) == ["INFO     shop: early", "app late"]


def test_set_up_logger_afterwards_shows_each_record_once(tmp_path: Path) -> None:
    code = "log = get_logger('shop'); log.info('early'); setup_logger(); log.info('late'); get_logger('other').info('other')"
    assert console(tmp_path, code) == ["INFO     shop: early", "INFO     shop: late", "INFO     other: other"]


def test_a_silent_set_up_stays_silent(tmp_path: Path) -> None:
    assert (
        console(tmp_path, "log = get_logger('shop'); setup_logger(console_output=False); log.info('i'); log.error('e')") == []
    )
    found = console(tmp_path, "logging.lastResort = None; get_logger('shop').error('e')")
    assert found == ['No handlers could be found for logger "shop"'], "what logging itself says"


def test_flasks_logger_of_the_same_name_gets_flasks_handler_and_shows_each_record_once(tmp_path: Path) -> None:
    code = """
from flask import Flask
log = get_logger("shop")
log.info("early")
app = Flask("shop")
app.logger.warning("late")
assert app.logger is log and len(log.handlers) == 1
"""
    first, second = console(tmp_path, code)
    assert first == "INFO     shop: early"
    assert second.endswith("WARNING in <string>: late")


def test_no_logger_and_no_root_gets_a_handler(tmp_path: Path) -> None:
    code = "log = get_logger(); log.info('i'); assert not log.handlers and not logging.getLogger().handlers and not log.hasHandlers()"
    assert console(tmp_path, code) == ["INFO     chatbot: i"]


def test_set_up_returns_the_logger_each_time(tmp_path: Path) -> None:
    code = """
from otel_chatbot import ChatbotLogger
chatbot = logging.getLogger("chatbot")
assert setup_logger(console_output=False) is chatbot
assert setup_logger() is chatbot and ChatbotLogger.setup(log_level="DEBUG") is chatbot
chatbot.info("i")
"""
    assert console(tmp_path, code) == []


def test_both_files_are_there_from_the_first_record_on(tmp_path: Path) -> None:
    console(tmp_path, "get_logger().info('i')")
    assert len((tmp_path / "logs" / "chatbot.json.log").read_text().splitlines()) == 1
    assert (tmp_path / "logs" / "chatbot.error.log").read_bytes() == b""
