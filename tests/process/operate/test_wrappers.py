"""The wrappers of deployment and rollback: thin, clean, and with the same arguments for the same Python on every system.

The `.bat` files are linted by blinter, and run by cmd under Debian's wine in `make proof` only.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.operate import SCRIPTS
from support.process import program, wait_for
from support.proofs import record_proof

sys.path[:0] = [str(SCRIPTS), str(SCRIPTS / "operate")]
import processes  # noqa: E402
import service  # noqa: E402

import docs  # noqa: E402

NAMES = ("deploy", "rollback")
WORDS = ["--app", "a folder", "", "it's", "$HOME", "*", "a&b c"]
RECORDER = '#!/bin/sh\nfor word in "$@"; do printf "%s\\n" "$word"; done\nexit 7\n'


def passed_by_the_shell(name: str, tmp_path: Path) -> list[str]:
    """The script that the shell's wrapper runs, and what it is given; the recorder stands where Python would."""
    recorder = tmp_path / "python"
    recorder.write_text(RECORDER)
    recorder.chmod(0o755)
    env = {"PYTHON": str(recorder), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [SCRIPTS / f"{name}-chatbot.sh", *WORDS], capture_output=True, text=True, check=False, cwd=tmp_path, env=env
    )
    assert done.returncode == 7, done
    return done.stdout.split("\n")[:-1]


@pytest.mark.parametrize("name", NAMES)
def test_both_wrappers_pass_all_arguments_to_the_same_python(name: str, tmp_path: Path) -> None:
    script, *words = passed_by_the_shell(name, tmp_path)
    assert Path(script).resolve() == SCRIPTS / "operate" / f"{name}.py"
    assert words == WORDS

    lines = (SCRIPTS / f"{name}-chatbot.bat").read_bytes().decode("ascii").split("\r\n")
    [call] = [line for line in lines if line.startswith('"%PYTHON%"')]
    assert call == f'"%PYTHON%" "%~dp0operate\\{name}.py" %*'
    assert lines[-2:] == ["EXIT /B %ERRORLEVEL%", ""]
    assert all("\n" not in line for line in lines)


def test_the_shell_wrappers_are_clean() -> None:
    done = subprocess.run(["shellcheck", *SCRIPTS.glob("*-chatbot.sh")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


KNOWN = {
    "S007": "they are called .bat, as they were asked for",
    "P003": "there is a SET, after IF NOT DEFINED",
    "SEC014": "%* hands the caller's own words on, in the caller's own quotes: quoted once more, they would be one word",
}


@pytest.mark.parametrize("name", NAMES)
def test_the_batch_wrappers_are_clean(name: str) -> None:
    command = [docs.PROGRAMS / "python", "-m", "blinter", SCRIPTS / f"{name}-chatbot.bat", "--format", "json", "--no-config"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("{"), done
    found = {issue["code"] for issue in json.loads(done.stdout)["issues"]}
    assert found == KNOWN.keys(), done.stdout


FIRST_THREAD_ENDS = """
import ctypes, socket, threading
server = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=threading.Event().wait).start()
print(server.getsockname()[1], flush=True)
ctypes.CDLL(None).syscall({exit}, 0)
"""
EXIT = {"x86_64": 60, "aarch64": 93}


def test_a_process_has_ended_when_its_last_thread_has() -> None:
    """A killed server's first thread may be the first to go, and its port is still taken until the others are gone."""
    code = FIRST_THREAD_ENDS.format(exit=EXIT[os.uname().machine])
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        port = int(started.stdout.readline())
        wait_for(lambda: ") Z " in Path(f"/proc/{started.pid}/stat").read_text(), "the first thread's end")
        began = processes.birth(started.pid)
        assert began
        assert service.taken(port)
        processes.end(started.pid, began, grace=10)
        assert not service.taken(port)


WINDOWS_RECORDER = r"""
#include <stdio.h>

int main(int count, char **words) {
    for (int i = 1; i < count; i++) printf("%s\n", words[i]);
    return 7;
}
"""


def windows(path: Path) -> str:
    """A path as wine's programs see it."""
    return "Z:" + str(path).replace("/", "\\")


def cmd_of_wine_passes_the_same(name: str, tmp_path: Path) -> None:
    """A Windows program stands where python.exe would: it says what it was given, and ends with a code of its own."""
    source, programs = tmp_path / "recorder.c", tmp_path / "with a space"
    source.write_text(WINDOWS_RECORDER)
    programs.mkdir()
    remedy = "bash scripts/system-packages.sh proof"
    compiler = program("x86_64-w64-mingw32-gcc", remedy)
    subprocess.run([compiler, source, "-o", programs / "python.exe"], check=True)
    env = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "WINEPREFIX": str(tmp_path / "wine"), "WINEDEBUG": "-all",
        "WINEDLLOVERRIDES": "mscoree,mshtml=", "WINEPATH": windows(programs),
    }  # fmt: skip
    words = " ".join(word if word.startswith("--") else f'"{word}"' for word in WORDS)
    (tmp_path / "words.bat").write_bytes(f'@"{windows(SCRIPTS)}\\{name}-chatbot.bat" {words}\r\n'.encode())
    for how in ({}, {"PYTHON": windows(programs / "python.exe")}):
        command = [program("wine", remedy), "cmd", "/c", "words.bat"]
        done = subprocess.run(command, cwd=tmp_path, env={**env, **how}, capture_output=True, text=True, check=False)
        assert done.returncode == 7, done
        script, *given = done.stdout.splitlines()
        assert script == windows(SCRIPTS / "operate" / f"{name}.py"), done
        assert given == passed_by_the_shell(name, tmp_path)[1:] == WORDS
        assert done.returncode == 7, done
    subprocess.run([program("wineserver", remedy), "--wait"], env=env, check=True, timeout=120)
    record_proof(
        f"{name}-chatbot.bat under Debian's wine",
        run="by cmd, with and without PYTHON; the recorder of its arguments is a Windows program",
        arguments_passed_on=len(WORDS),
        exit_code="passed on",
        not_run="Python for Windows, Windows itself",
    )


if int(os.environ.get("OTEL_CHATBOT_TEST_SCALE", "1")) > 1:
    test_cmd_of_wine_passes_the_same = pytest.mark.parametrize("name", NAMES)(cmd_of_wine_passes_the_same)
