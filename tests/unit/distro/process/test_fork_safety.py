"""Threads of ours import nothing while the application does: each of the two could get half of a package."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from support.process import clean_env, wait_for

from otel_chatbot.distro.process.fork_safety import await_imports

SCRIPT = """
import sys, threading
from otel_chatbot.distro.process.fork_safety import await_imports

def import_a_part():
    {wait}
    import package.part

thread = threading.Thread(target=import_a_part)
sys.path.insert(0, sys.argv[1])
thread.start()
import package
thread.join()
print(package.part.VALUE, package.VALUE)
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package that takes its time to import a module, which needs the package."""
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "__init__.py").write_text("import time\nVALUE = 1\ntime.sleep(0.3)\nfrom .part import VALUE as PART\n")
    (folder / "part.py").write_text("from package import VALUE\nimport time\ntime.sleep(0.3)\nVALUE = VALUE + 1\n")
    return tmp_path


def run(package: Path, wait: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", SCRIPT.format(wait=wait), str(package)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=clean_env())


def test_a_thread_that_waits_for_the_imports_breaks_none(package: Path) -> None:
    done = run(package, "import time; time.sleep(0.1); await_imports()")
    assert done.stdout == "2 1\n", done.stderr


def test_it_waits_for_other_threads_alone_and_not_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = tmp_path / "go"
    source = f"import pathlib, time\nwhile not pathlib.Path({str(go)!r}).exists():\n    time.sleep(0.01)\n"
    (tmp_path / "never_ready.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    began = time.monotonic()
    await_imports(120)
    assert time.monotonic() - began < 60, "nobody imports"
    thread = threading.Thread(target=__import__, args=("never_ready",))
    thread.start()
    try:
        wait_for(lambda: "never_ready" in sys.modules, "the import to begin")
        began = time.monotonic()
        await_imports(0.5)
        assert time.monotonic() - began >= 0.5
        assert thread.is_alive(), "the import goes on"
    finally:
        go.touch()
        thread.join()


BUSY = """
import gc, sys, threading, time
from otel_chatbot.distro.process.fork_safety import await_imports

def leaf():
    return [None] * 3

def deep(number):
    leaf()
    deep(number - 1) if number else None
    leaf()

def work(number):
    while True:
        deep(number)

gc.callbacks.append(lambda *_: time.sleep(0.0005) if threading.current_thread() is threading.main_thread() else None)
gc.set_threshold(5)
sys.setswitchinterval(1e-5)
for number in (30, 90, 200):
    threading.Thread(target=work, args=(number,), daemon=True).start()
for _ in range(int(sys.argv[1])):
    await_imports()
print("lives")
sys.stdout.flush()
__import__("os")._exit(0)
"""
"""A collector that lets other threads run in its middle, as one does whose finalizers wait for anything."""


def test_waiting_for_imports_touches_nothing_of_threads_that_run(scale: int) -> None:
    command = [sys.executable, "-c", BUSY, str(20_000 * scale)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=clean_env())
    assert (done.returncode, done.stdout) == (0, "lives\n"), done.stderr
