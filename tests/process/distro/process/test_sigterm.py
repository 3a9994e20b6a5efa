"""SIGTERM and the app's own handlers: they run once and see what they would see without us; nothing is lost."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.distro import instrumented
from support.process import Process, clean_env

from otel_chatbot.testing import OtlpSink

SLOW = {"OTEL_BSP_SCHEDULE_DELAY": "60000", "OTEL_BLRP_SCHEDULE_DELAY": "60000", "OTEL_METRIC_EXPORT_INTERVAL": "60000"}
SCRIPT = """
import os, signal, sys, time
from opentelemetry import trace
{handler}
for number in range(8):
    with trace.get_tracer("t").start_as_current_span(f"work {{number}}"):
        pass
print("ready", flush=True)
{rest}
"""
WAIT = "time.sleep(60)"
WAIT_TOLD = "while not told: time.sleep(0.01)"
RAISES_AGAIN = """
def end(number, frame):
    print("handled", flush=True)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
signal.signal(signal.SIGTERM, end)
"""
RESTORES_AND_RAISES = """
def end(number, frame):
    print("handled", flush=True)
    signal.signal(number, before)
    signal.raise_signal(number)
before = signal.signal(signal.SIGTERM, end)
"""
RAISES_WHEN_IT_HAS_FINISHED = """
told = []
before = signal.signal(signal.SIGTERM, lambda *_: told.append(print("handled", flush=True)))
"""
CALLS_THE_ONE_BEFORE = """
before = signal.getsignal(signal.SIGTERM)
def end(number, frame):
    print("handled", flush=True)
    if callable(before):
        before(number, frame)
    sys.exit(7)
signal.signal(signal.SIGTERM, end)
"""
ENDS_AS_THE_DEFAULT_WOULD = """
before = signal.getsignal(signal.SIGTERM)
def end(number, frame):
    print("handled", flush=True)
    if callable(before):
        before(number, frame)
    elif before == signal.SIG_DFL:
        signal.signal(number, before)
        os.kill(os.getpid(), number)
signal.signal(signal.SIGTERM, end)
"""
OLD_NAMES = """
from _signal import signal as old_signal
def end(number, frame):
    print("handled", flush=True)
    if callable(before):
        before(number, frame)
    else:
        old_signal(number, before)
        os.kill(os.getpid(), number)
before = old_signal(signal.SIGTERM, end)
"""
ASYNCIO = """
import asyncio
async def serve():
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    print("serving", flush=True)
    await told.wait()
    print("handled", flush=True)
"""
CASES = {
    "raises it again": (RAISES_AGAIN, WAIT),
    "restores what was there and raises it again": (RESTORES_AND_RAISES, WAIT),
    "raises it again when it has finished": (
        RAISES_WHEN_IT_HAS_FINISHED, f"{WAIT_TOLD}\nsignal.signal(signal.SIGTERM, before)\nsignal.raise_signal(signal.SIGTERM)",
    ),
    "calls the one before": (CALLS_THE_ONE_BEFORE, WAIT),
    "ends as the default would": (ENDS_AS_THE_DEFAULT_WOULD, WAIT),
    "knows signal from before us": (OLD_NAMES, WAIT),
    "asyncio's, and the default afterwards": (ASYNCIO, "asyncio.run(serve())\nos.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(60)"),
    "asyncio's, and an end of its own": (ASYNCIO, "asyncio.run(serve())\nsys.exit(5)"),
}  # fmt: skip


def run(folder: Path, source: str, env: dict[str, str], *, observed: bool) -> tuple[int, str, str]:
    folder.mkdir()
    (folder / "script.py").write_text(source)
    command = [sys.executable, "script.py"]
    process = Process(instrumented(*command) if observed else command, folder, env)
    with process:
        process.wait(lambda: ("serving" if "serve()" in source else "ready") in process.stdout, "the script")
        code = process.end()
        return code, process.stdout, process.stderr


@pytest.mark.parametrize("case", CASES)
def test_a_handler_of_the_app_runs_once_and_ends_the_process_as_without_us(
    tmp_path: Path, otlp_sink: OtlpSink, case: str
) -> None:
    handler, rest = CASES[case]
    source = SCRIPT.format(handler=handler, rest=rest)
    code, out, err = run(tmp_path / "with", source, {**SLOW, "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint}, observed=True)
    assert (code, out) == run(tmp_path / "without", source, {}, observed=False)[:2]
    assert out.count("handled") == 1
    assert sorted(span.name for span in otlp_sink.spans()) == [f"work {number}" for number in range(8)]
    assert "Traceback" not in err


def test_the_app_sees_the_handlers_that_it_would_see_without_us(tmp_path: Path) -> None:
    code = (
        "import inspect, signal\n"
        "print(signal.getsignal(signal.SIGTERM), inspect.isfunction(signal.signal), signal.signal.__name__)\n"
        "print(signal.signal(signal.SIGTERM, print), signal.signal(signal.SIGTERM, signal.SIG_DFL) is print)\n"
        "print(signal.getsignal(signal.SIGTERM), signal.signal(signal.SIGTERM, signal.SIG_IGN))\n"
        "print(signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT) is signal.default_int_handler)\n"
    )
    plain, observed = (
        subprocess.run(
            [*words, sys.executable, "-c", code], cwd=tmp_path, env=clean_env(), capture_output=True, text=True, timeout=60
        )
        for words in ([], instrumented())
    )
    assert observed.stdout == plain.stdout != "", observed.stderr
    assert observed.stderr == ""


def test_a_second_sigterm_waits_for_the_first(tmp_path: Path, otlp_sink: OtlpSink) -> None:
    (tmp_path / "script.py").write_text(SCRIPT.format(handler="", rest=WAIT))
    env = {**SLOW, "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint}
    process = Process(instrumented(sys.executable, "script.py"), tmp_path, env)
    process.wait(lambda: "ready" in process.stdout, "the script")
    for _ in range(20):
        if process.popen.poll() is None:
            process.popen.send_signal(signal.SIGTERM)
    assert process.end() == -signal.SIGTERM
    assert len(otlp_sink.spans()) == 8
