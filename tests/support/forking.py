"""Programs of several processes for the tests of the shared metrics: run in a folder of their own, answered in JSON."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .process import clean_env

PRELUDE = """
import json, os, signal, sys, threading, time
from otel_chatbot.metrics import view, record
from otel_chatbot.metrics.shared import run as shared
from otel_chatbot.metrics.store import STORE
from otel_chatbot.semconv import metrics as m

SENT = STORE.instrument(m.MESSAGES_SENT).bare()
QUERIES = STORE.instrument(m.DB_QUERIES)
TIMES = STORE.instrument(m.RESPONSE_TIME)
USERS = STORE.instrument(m.ACTIVE_USERS).bare()

def families():
    return {family.spec.name: family for family in view.read()}

def value(spec, **attributes):
    wanted = {key.replace("_", "."): text for key, text in attributes.items()}
    return [p.value for p in families()[spec.name].points if p.attributes == wanted][0]

def sent():
    return value(m.MESSAGES_SENT)

def fork(work):
    # A child that runs `work` and ends; its failure is seen in its status.
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    return pid

def ended(pid, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return "hung"

def until(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.005)

def idle():
    while True:
        time.sleep(60)

def files():
    directory = shared.RUN.directory()
    return sorted(os.listdir(directory.path))
"""


def program(folder: Path, code: str) -> Path:
    """A file with the prelude and `code`."""
    path = folder / "program.py"
    path.write_text(PRELUDE + textwrap.dedent(code))
    return path


def environment(folder: Path, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment in which temporary files, and with them the folders of runs, go to `folder`/tmp."""
    (folder / "tmp").mkdir(exist_ok=True)
    return clean_env({"TMPDIR": str(folder / "tmp"), **(env or {})})


def run(folder: Path, code: str, *arguments: object, env: Mapping[str, str] | None = None, timeout: float = 120) -> Any:
    """Run a program and return the JSON of its last line of output; its errors are in the assertion."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(program(folder, code)), *map(str, arguments)],
        cwd=folder,
        env=environment(folder, env),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"ended with {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    if isinstance(answer, dict):
        answer["stderr"] = done.stderr
    return answer


def run_folders(folder: Path) -> list[Path]:
    """The folders of runs below `folder`/tmp."""
    return sorted(path for root in (folder / "tmp").glob("otel-chatbot-*") for path in root.iterdir())
