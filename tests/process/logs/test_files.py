"""Rotated log files that several processes share: every line once and whole, and a broken disk never hurts the application."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from support.process import clean_env
from support.proofs import record_proof

START = """
import logging, os, sys, threading
from otel_chatbot import config
from otel_chatbot.logs import sink
from otel_chatbot.logs.files import LogFiles
dropped = []
sink.install(config.Settings(log_dir="logs"))
sink.SINK.on_dropped = lambda reason, lines: dropped.append((reason, lines))
log = logging.getLogger("app")
log.setLevel(logging.INFO)
"""


def start(folder: Path, code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", START + code, *arguments],
        cwd=folder,
        env=clean_env(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], timeout: float = 120) -> tuple[str, str]:
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"hung: {out[-2000:]} {err[-2000:]}") from None
    assert process.returncode == 0, err[-4000:]
    return out, err


def run(folder: Path, code: str, *arguments: str, timeout: float = 120) -> tuple[str, str]:
    return finish(start(folder, code, *arguments), timeout)


def messages(folder: Path, name: str = "chatbot.json.log") -> list[str]:
    """Messages of a file and its backups; every line of them has to be JSON."""
    found = []
    for path in sorted(folder.glob(f"{name}*")):
        content = path.read_text()
        assert content == "" or content.endswith("\n")
        found += [json.loads(line)["message"] for line in content.splitlines()]
    return found


def test_four_processes_lose_split_and_double_no_line_through_rotation(tmp_path: Path, scale: int) -> None:
    lines = 2_500 * scale
    code = """
sink.SINK.use(LogFiles("logs", max_bytes=int(sys.argv[3]), backup_count=400), logging.INFO)
for n in range(int(sys.argv[2])):
    log.info("%s:%d %s", sys.argv[1], n, "x" * (n % 200))
print(len(dropped))
"""
    size = 100_000 if scale == 1 else 1024 * 1024
    processes = [start(tmp_path, code, f"p{number}", str(lines), str(size)) for number in range(4)]
    assert [finish(process, 600)[0].strip() for process in processes] == ["0"] * 4
    found = Counter(message.split(" ")[0] for message in messages(tmp_path / "logs"))
    assert found == Counter(f"p{number}:{n}" for number in range(4) for n in range(lines))
    backups = list((tmp_path / "logs").glob("chatbot.json.log.*"))
    assert len(backups) > 10
    assert all(path.stat().st_size < size + 1_000 for path in backups)
    record_proof(
        "Lines of four processes through rotation",
        lines=4 * lines,
        found_once_as_valid_JSON=sum(found.values()),
        missing_or_doubled=0,
        rotations=len(backups),
        bytes_a_file=size,
    )


def test_threads_of_one_process_write_whole_lines(tmp_path: Path) -> None:
    run(
        tmp_path,
        """
def work(name):
    for n in range(300):
        log.error("%s:%d", name, n)
threads = [threading.Thread(target=work, args=(f"t{i}",)) for i in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
""",
    )
    expected = Counter(f"t{i}:{n}" for i in range(8) for n in range(300))
    assert Counter(messages(tmp_path / "logs")) == expected
    assert Counter(messages(tmp_path / "logs", "chatbot.error.log")) == expected


def test_no_more_backups_than_asked_for(tmp_path: Path) -> None:
    run(
        tmp_path,
        """
sink.SINK.use(LogFiles("logs", max_bytes=2_000, backup_count=3), logging.INFO)
for n in range(200):
    log.info("%d", n)
""",
    )
    assert sorted(path.name for path in (tmp_path / "logs").glob("chatbot.json.log*")) == [
        "chatbot.json.log",
        "chatbot.json.log.1",
        "chatbot.json.log.2",
        "chatbot.json.log.3",
    ]
    assert messages(tmp_path / "logs")[-1] != "199"  # the newest stands in the file without a number
    assert json.loads((tmp_path / "logs" / "chatbot.json.log").read_text().splitlines()[-1])["message"] == "199"


def test_a_full_disk_costs_lines_but_no_half_line_and_the_console_goes_on(tmp_path: Path) -> None:
    out, err = run(
        tmp_path,
        """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
logging.basicConfig(level=logging.INFO, format="console %(message)s")
log.info("first")
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
for n in range(50):
    log.info("full %d", n)
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
log.info("last")
print(len(dropped), set(dropped))
""",
    )
    found = messages(tmp_path / "logs")
    assert found[0] == "first"
    assert found[-1] == "last"
    kept = [message for message in found if message.startswith("full ")]
    assert kept == [f"full {n}" for n in range(len(kept))]
    assert 0 < len(kept) < 50
    lost, reasons = out.strip().split(" ", 1)
    assert reasons == "{('write_failed', 1)}"
    assert int(lost) == 50 - len(kept) + 1  # the warning could not be written either
    assert [f"console full {n}" in err for n in range(50)] == [True] * 50
    assert err.count("log records are not written") == 1
    assert "Traceback" not in err


@pytest.mark.parametrize("obstacle", ["a file where the folder should be", "a folder that nobody may write to"])
def test_a_folder_that_cannot_be_written_is_one_warning(obstacle: str, tmp_path: Path) -> None:
    target = tmp_path / "logs"
    if obstacle.startswith("a file"):
        target.write_text("in the way")
    else:
        (tmp_path / "dropped_rights").mkdir()
    out, err = run(
        tmp_path,
        """
if not os.path.exists("logs"):
    # Root may write everywhere; /proc refuses it too.
    sink.SINK.use(LogFiles("/proc/otel_chatbot_logs"), logging.INFO)
for n in range(20):
    log.warning("shown %d", n)
print(sum(lines for _, lines in dropped))
""",
    )
    assert [f"shown {n}" in err for n in range(20)] == [True] * 20
    assert err.count("log records are not written") == 1
    assert "Traceback" not in err
    assert int(out) == 21


def test_a_file_moved_away_is_made_anew_and_no_line_is_lost(tmp_path: Path) -> None:
    run(
        tmp_path,
        """
import shutil
log.info("before")
os.rename("logs/chatbot.json.log", "logs/moved")
log.info("after the move")
shutil.rmtree("logs")
log.info("after the folder was removed")
""",
    )
    assert messages(tmp_path / "logs") == ["after the folder was removed"]


def test_two_processes_keep_excluding_each_other_after_the_folder_was_replaced(tmp_path: Path) -> None:
    run(
        tmp_path,
        """
import shutil, subprocess
log.info("old lock")
shutil.rmtree("logs")
code = "import logging, sys; from otel_chatbot import config; from otel_chatbot.logs import sink; "
code += "sink.install(config.Settings(log_dir='logs')); logging.getLogger('x').warning('other'); sys.stdin.read()"
other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
while not os.path.exists("logs/chatbot.json.log") or not os.path.getsize("logs/chatbot.json.log"):
    assert other.poll() is None
log.info("mine")
file = sink.SINK.files._open["chatbot.json.log"]
assert os.path.samestat(os.fstat(file.stream_lock.fileno()), os.stat("logs/.__chatbot.json.lock"))
other.stdin.close()
assert other.wait(10) == 0
""",
    )
    assert messages(tmp_path / "logs") == ["other", "mine"]


def test_a_line_cut_by_a_crash_does_not_spoil_the_next(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "chatbot.json.log").write_text('{"message": "half')
    run(tmp_path, 'log.info("whole")')
    half, whole = (tmp_path / "logs" / "chatbot.json.log").read_text().splitlines()
    assert half == '{"message": "half'
    assert json.loads(whole)["message"] == "whole"


def test_children_forked_while_threads_log_neither_hang_nor_lose_lines(tmp_path: Path, scale: int) -> None:
    forks = 20 * scale
    out, _ = run(
        tmp_path,
        """
import time
sink.SINK.files.backup_count = 10_000  # enough for what the threads write meanwhile
running = True
count = [0] * 3
def work(number):
    while running:
        log.info("thread %d:%d", number, count[number])
        count[number] += 1
threads = [threading.Thread(target=work, args=(i,)) for i in range(3)]
[t.start() for t in threads]
hung = 0
for fork in range(int(sys.argv[1])):
    pid = os.fork()
    if not pid:
        for n in range(5):
            log.info("child %d:%d", fork, n)
        os._exit(0)
    for _ in range(2000):
        if os.waitpid(pid, os.WNOHANG)[0]:
            break
        time.sleep(0.005)
    else:
        hung += 1
        os.kill(pid, 9)
        os.waitpid(pid, 0)
running = False
[t.join() for t in threads]
print(hung, *count)
""",
        str(forks),
        timeout=240,
    )
    hung, *counts = (int(number) for number in out.split())
    assert hung == 0
    found = Counter(messages(tmp_path / "logs"))
    expected = Counter(f"child {fork}:{n}" for fork in range(forks) for n in range(5))
    expected.update(f"thread {number}:{n}" for number, count in enumerate(counts) for n in range(count))
    assert found == expected


def test_a_signal_handler_that_logs_while_a_line_is_written_loses_nothing(tmp_path: Path) -> None:
    run(
        tmp_path,
        """
import signal
seen, inside = 0, False
def handler(*_):
    global seen, inside
    if not inside:  # on a slow machine the next signal comes before this one is done
        inside = True
        log.info("signal %d", seen)
        seen += 1
        inside = False
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
for n in range(2000):
    log.info("main %d", n)
signal.setitimer(signal.ITIMER_REAL, 0)
log.info("seen %d", seen)
""",
    )
    found = messages(tmp_path / "logs")
    (last,) = [message for message in found if message.startswith("seen ")]
    expected = Counter(f"main {n}" for n in range(2000))
    expected.update(f"signal {n}" for n in range(int(last.split()[1])))
    assert Counter(message for message in found if message != last) == expected


def test_importing_makes_no_file_and_the_libraries_of_the_files_come_with_the_first_record(tmp_path: Path) -> None:
    out, _ = run(
        tmp_path,
        """
print("concurrent_log_handler" in sys.modules, os.path.exists("logs"))
log.info("first")
print("concurrent_log_handler" in sys.modules, sorted(os.listdir("logs")))
""",
    )
    assert out.splitlines() == [
        "False False",
        ("True ['.__chatbot.error.lock', '.__chatbot.json.lock', 'chatbot.error.log', 'chatbot.json.log']"),
    ]


def test_the_files_bring_no_client_of_redis_along_and_portalocker_still_has_its_lock(tmp_path: Path) -> None:
    out, _ = run(
        tmp_path,
        """
log.info("first")
print("portalocker" in sys.modules, "redis" in sys.modules)
import portalocker
from portalocker import RedisLock
print(RedisLock.__module__, portalocker.RedisLock is RedisLock, hasattr(portalocker, "NoSuchLock"))
""",
    )
    assert out.splitlines() == ["True False", "portalocker.redis True False"]
