"""A bad setting or option costs one clear line: its name, its value and what would be right."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.process import BIN, clean_env

USE = "import otel_chatbot; otel_chatbot.messages_sent.inc(); print('alive')"
SETTINGS = [
    ("SERIES_LIMIT", "abc", "", "expected a whole number, more than 0"),
    ("SERIES_LIMIT", "-1", "", "expected a whole number, more than 0"),
    ("ENDPOINT_PORT", "70000", "", "expected a port, 0 to 65535"),
    ("HEALTH_TIMEOUT", "soon", "", "expected seconds, more than 0"),
    ("AI_PRICES", "prices.json", "", "the file cannot be read: No such file or directory"),
    ("AI_PRICES", "prices.json", "{", "the file is not JSON"),
    ("AI_PRICES", "prices.json", '{"m": {"output": 1}}', 'expected {"m": {"input": 0.5'),
    ("AI_PRICES", "prices.json", '{"m": {"input": -1}}', 'expected {"m": {"input": 0.5'),
    ("AI_PRICES", "prices.json", "[]", 'expected {"model": {"input": 0.5'),
]
OPTIONS = [
    (["doctor", "--port", "99999"], "--port: '99999' is not usable; give a whole number, 1 to 65535"),
    (["doctor", "--wait", "-1"], "--wait: '-1' is not usable; give a number, 0 or more"),
    (["compare", "--tolerance", "-5", "1", "2"], "--tolerance: '-5' is not usable; give a number, 0 or more"),
    (["compare", "--window", "0", "1", "2"], "--window: '0' is not usable; give a number, 1 or more"),
    (["compare", "--least", "1.5", "1", "2"], "--least: '1.5' is not usable; give a whole number, 0 or more"),
    (["probe", "--timeout", "nan", "http://127.0.0.1"], "--timeout: 'nan' is not usable"),
]


@pytest.mark.parametrize("start", [[], ["opentelemetry-instrument"]], ids=["plain", "instrumented"])
@pytest.mark.parametrize(("name", "value", "content", "said"), SETTINGS)
def test_a_bad_setting_costs_one_line_in_the_app(
    tmp_path: Path, name: str, value: str, content: str, said: str, start: list[str]
) -> None:
    if content:
        (tmp_path / value).write_text(content)
    command = [*(str(BIN / word) for word in start), sys.executable, "-c", USE]
    env = clean_env({f"CHATBOT_OTEL_{name}": value})
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
    assert done.stdout == "alive\n"
    [line] = done.stderr.splitlines()
    assert line.startswith(f"CHATBOT_OTEL_{name}={value!r} is not usable")
    assert said in line


@pytest.mark.parametrize(("words", "said"), OPTIONS)
def test_a_bad_option_costs_one_line(tmp_path: Path, words: list[str], said: str) -> None:
    command = [str(BIN / "otel-chatbot"), *words]
    done = subprocess.run(command, cwd=tmp_path, env=clean_env(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("name", ["AI_PRICES", "SERIES_LIMIT"])
def test_the_doctor_finds_a_bad_setting(tmp_path: Path, name: str) -> None:
    env = clean_env({f"CHATBOT_OTEL_{name}": "nowhere"})
    command = [str(BIN / "otel-chatbot"), "doctor"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert f"CHATBOT_OTEL_{name}='nowhere' is not usable" in done.stdout
