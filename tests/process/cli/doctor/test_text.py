"""What the doctor prints for people: a verdict that speaks of what was looked at alone, what to do, signs and colours."""

from __future__ import annotations

import io
import os
import pty
import subprocess
from pathlib import Path

import pytest
from support.process import clean_env, program

from otel_chatbot.cli.doctor.findings import Section, failed, not_looked_at, warning, well
from otel_chatbot.cli.doctor.text import Style, as_text, verdict


def run(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [program("otel-chatbot", "install the package"), "doctor", *arguments]
    return subprocess.run(command, cwd=folder, env=clean_env(env), capture_output=True, text=True, timeout=120, check=False)


def test_what_was_not_looked_at_is_said_with_the_way_to_have_it_looked_at(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 0
    first, *lines = done.stdout.splitlines()
    assert first.startswith("✓ no fault in ")
    assert first.endswith(" looked at; 5 not looked at")
    text = "\n".join(lines)
    for words in ("otel-chatbot doctor http://127.0.0.1:5000", "--app app.py", "MONGODB_URI", "REDIS_URL", "--collector"):
        assert words in text.partition("Not looked at")[2].partition("Looked at")[0]
    assert "no fault" not in text, "the verdict alone says it, of what it counts"


def test_what_says_nothing_more_of_a_chatbot_is_not_recommended(tmp_path: Path) -> None:
    text = run(tmp_path).stdout
    assert "opentelemetry-instrumentation-click" not in text
    assert "opentelemetry-instrumentation-jinja2" not in text
    assert "opentelemetry-instrumentation-structlog" not in text, "its records come through logging"
    assert "opentelemetry-instrumentation-asgi" in text


def test_a_fault_comes_first_with_what_to_do(tmp_path: Path) -> None:
    done = run(tmp_path, OTEL_SDK_DISABLED="true", OTEL_TRACES_SAMPLER="always_off")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0].startswith("✗ 1 fault and 1 warning in ")
    assert lines[1:5] == [
        "", "Faults: what to do", "  ✗ OTEL_SDK_DISABLED=true: nothing is traced, logged or exported", "      unset it",
    ]  # fmt: skip
    assert "✗ process" in lines
    assert "\x1b" not in done.stdout, "not a terminal"


def test_where_signs_cannot_be_written_letters_stand(tmp_path: Path) -> None:
    folder = tmp_path / "grüß"
    folder.mkdir()
    done = run(folder, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.stdout.startswith("+ no fault in ")
    assert "gr\\xfc\\xdf" in done.stdout
    done = run(folder, PYTHONIOENCODING="ascii", PYTHONUTF8="0", OTEL_SDK_DISABLED="true")
    assert done.stdout.startswith("x 1 fault in ")


@pytest.mark.parametrize(("env", "colored"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colour_is_for_terminals_that_want_it(env: dict[str, str], colored: bool, tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    command = [program("otel-chatbot", "install the package"), "doctor"]
    environ = {**clean_env(), "TERM": "xterm", "PYTHONIOENCODING": "utf-8", **env}
    with subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=follower, stderr=subprocess.PIPE) as process:
        os.close(follower)
        shown = b""
        while True:
            try:
                part = os.read(leader, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            shown += part
        process.wait(60)
    os.close(leader)
    text = shown.decode()
    assert "no fault in " in text
    assert text.startswith("\x1b[32m✓\x1b[0m no fault" if colored else "✓ no fault")
    assert ("\x1b" in text) is colored


def test_the_verdict_counts_what_it_speaks_of() -> None:
    sections = [
        Section("a", (well("w", "fine"), failed("f", "wrong", "do it"), failed("g", "wrong too"))),
        Section("b", (warning("x", "meant?"), not_looked_at("n", "unknown", "ask"))),
    ]
    assert verdict(sections) == "2 faults and 1 warning in 4 things looked at; 1 not looked at"
    assert verdict([Section("a", (well("w", "fine"),))]) == "no fault in 1 thing looked at; nothing was left out"
    text = as_text(sections, Style(signs=True, color=False))
    assert text.index("wrong too") < text.index("meant?") < text.index("unknown") < text.index("    fine")


def test_a_stream_that_says_nothing_of_itself_gets_letters_without_colour() -> None:
    assert Style.of(object()) == Style(signs=False, color=False)
    assert Style.of(io.TextIOWrapper(io.BytesIO(), encoding="cp1252")) == Style(signs=False, color=False)
    assert Style.of(io.TextIOWrapper(io.BytesIO(), encoding="utf-8")) == Style(signs=True, color=False)
