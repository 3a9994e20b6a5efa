"""Which processes belong to one run, when a run begins and ends, and what is left of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import forking
from support.process import Process, free_port, get, wait_for

STAY = """
    SENT.add(float(sys.argv[1]))
    print(json.dumps({"total": sent(), "identity": shared.run_identity(), "path": shared.RUN.directory().path}), flush=True)
    while not os.path.exists(sys.argv[2]):
        time.sleep(0.01)
    print(json.dumps({"total": sent()}), flush=True)
"""


def staying(folder: Path, amount: int, env: dict[str, str] | None = None, name: str = "one") -> Process:
    """A process that counts, shows the total, and stays until the file `<name>.stop` appears."""
    path = forking.program(folder, STAY).rename(folder / f"{name}.py")
    process = Process(
        [sys.executable, str(path), str(amount), str(folder / f"{name}.stop")],
        folder,
        forking.environment(folder, env),
        name,
    )
    process.wait(lambda: "\n" in process.stdout, "the first total")
    return process


def said(process: Process, line: int = 0) -> dict[str, object]:
    return json.loads(process.stdout.splitlines()[line])


def stop(folder: Path, process: Process, name: str) -> dict[str, object]:
    (folder / f"{name}.stop").touch()
    assert process.popen.wait(20) == 0, process.stderr
    return said(process, 1)


def test_importing_the_metrics_creates_no_file_and_a_fork_none_either(tmp_path):
    forking.run(
        tmp_path,
        """
        assert ended(fork(lambda: None)) == 0
        print(json.dumps(os.listdir(os.environ["TMPDIR"])))
        """,
    )
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_restart_begins_at_zero_and_removes_what_the_run_before_left(tmp_path):
    code = 'SENT.add(2)\nprint(json.dumps({"total": sent(), "identity": shared.run_identity()}))'
    first = forking.run(tmp_path, code)
    left = forking.run_folders(tmp_path)
    second = forking.run(tmp_path, code)
    assert first["total"] == second["total"] == 2
    assert first["identity"][0] != second["identity"][0]
    assert first["identity"][1] < second["identity"][1]
    assert len(left) == len(forking.run_folders(tmp_path)) == 1
    assert left != forking.run_folders(tmp_path)


def test_runs_are_private_to_the_user_and_apart_from_each_other(tmp_path):
    with staying(tmp_path, 5) as one, staying(tmp_path, 7, name="two") as two:
        assert said(one)["total"] == 5
        assert said(two)["total"] == 7
        for path in forking.run_folders(tmp_path):
            assert path.stat().st_mode & 0o077 == 0
            assert path.parent.stat().st_mode & 0o077 == 0
        assert stop(tmp_path, one, "one")["total"] == 5
        assert stop(tmp_path, two, "two")["total"] == 7


def test_a_run_stays_while_any_of_its_processes_lives_though_its_first_has_ended(tmp_path):
    code = """
        SENT.add(1)
        def work():
            for stream in (1, 2):  # or the test would wait for it to end
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
            SENT.add(10)
            with open("child", "w") as file:
                file.write(str(os.getpid()))
            until(lambda: os.path.exists("look"), "look")
            with open("seen.new", "w") as file:
                json.dump(sent(), file)
            os.rename("seen.new", "seen")
        fork(work)
        until(lambda: os.path.exists("child"), "child")
        print("{}")
    """
    forking.run(tmp_path, code)
    (kept,) = forking.run_folders(tmp_path)
    other = forking.run(tmp_path, "SENT.add(1)\nprint(json.dumps({'total': sent()}))")
    assert other["total"] == 1
    assert kept in forking.run_folders(tmp_path)
    (tmp_path / "look").touch()
    wait_for((tmp_path / "seen").exists, "the orphan's total")
    assert json.loads((tmp_path / "seen").read_text()) == 11


def test_the_totals_of_a_lone_worker_survive_its_replacement(tmp_path):
    found = forking.run(
        tmp_path,
        """
        def work():
            SENT.add(1)
        seen = []
        for _ in range(3):  # a server that itself records nothing, with one worker at a time
            assert ended(fork(work)) == 0
            a, b = os.pipe()
            fork(lambda: os.write(b, str(sent()).encode()))
            seen.append(float(os.read(a, 50)))
        print(json.dumps(seen))
        """,
    )
    assert found == [1, 2, 3]


def test_processes_that_share_a_chosen_folder_count_together_and_the_next_start_is_at_zero(tmp_path):
    env = {"CHATBOT_OTEL_MULTIPROC_DIR": str(tmp_path / "chosen")}
    (tmp_path / "chosen").mkdir()
    (tmp_path / "chosen" / "theirs.txt").write_text("not ours")
    with staying(tmp_path, 5, env) as one:
        with staying(tmp_path, 7, env, "two") as two:
            assert said(two)["total"] == 12
            assert said(one)["identity"] == said(two)["identity"]
            two.end(signal.SIGKILL)
        with staying(tmp_path, 1, env, "three") as three:
            assert said(three)["total"] == 13, "the killed one's figures stay while another lives"
            assert stop(tmp_path, three, "three")["total"] == 13
        assert stop(tmp_path, one, "one")["total"] == 13
    with staying(tmp_path, 5, env, "four") as four:
        assert said(four)["total"] == 5
    assert (tmp_path / "chosen" / "theirs.txt").read_text() == "not ours"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_made_by_multiprocessing_belong_to_the_run_of_their_maker(tmp_path_factory, method):
    found = forking.run(
        tmp_path_factory.mktemp("m"),  # short: a Unix socket is made below it
        """
        import multiprocessing
        def work():
            SENT.add(1)
        if __name__ == "__main__":
            context = multiprocessing.get_context(sys.argv[1])
            SENT.add(10)
            children = [context.Process(target=work) for _ in range(3)]
            for child in children:
                child.start()
            for child in children:
                child.join(60)
            print(json.dumps({"codes": [child.exitcode for child in children], "total": sent()}))
        """,
        method,
    )
    assert found["codes"] == [0, 0, 0], found["stderr"]
    assert found["total"] == 13


@pytest.mark.parametrize("trap", ["link", "open", "file"])
def test_a_folder_that_others_could_have_prepared_is_not_used(tmp_path, trap):
    root = tmp_path / "tmp" / f"otel-chatbot-{os.geteuid()}"
    root.parent.mkdir()
    if trap == "link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        root.symlink_to(tmp_path / "elsewhere")
    elif trap == "open":
        root.mkdir()
        root.chmod(0o777)
    else:
        root.write_text("")
    found = forking.run(
        tmp_path,
        """
        import logging
        logging.basicConfig()
        SENT.add(1)
        QUERIES.bare().add(1)
        print(json.dumps({"total": sent(), "leads": shared.try_lead(), "id": shared.run_identity()}))
        """,
    )
    assert found["total"] == 1
    assert found["leads"] is True
    assert found["stderr"].count("WARNING") == 1
    assert str(root) in found["stderr"]
    assert "CHATBOT_OTEL_MULTIPROC_DIR" in found["stderr"]
    assert not (tmp_path / "elsewhere").exists() or not list((tmp_path / "elsewhere").iterdir())


def test_stale_folders_are_removed_and_those_of_another_machine_only_when_old(tmp_path):
    root = tmp_path / "tmp" / f"otel-chatbot-{os.geteuid()}"
    root.parent.mkdir()
    root.mkdir(mode=0o700)
    for name, age in (("999999-1-0123abcd", 10), ("999998-1-0123abcd", 7200)):
        (root / name).mkdir()
        (root / name / "1-aa.keys").touch()
        os.utime(root / name, (time.time() - age,) * 2)
    forking.run(tmp_path, 'SENT.add(1)\nprint("{}")')
    assert (root / "999999-1-0123abcd").exists()
    assert not (root / "999998-1-0123abcd").exists()


def test_gunicorn_workers_that_alone_import_us_find_one_run(tmp_path):
    (tmp_path / "wsgi.py").write_text(
        forking.PRELUDE
        + """
def app(environ, start):
    if environ["PATH_INFO"] == "/count":
        SENT.add(1)
    body = json.dumps({"total": sent(), "id": shared.run_identity()[0], "pid": os.getpid()}).encode()
    start("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""
    )
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "-w", "3", "-b", f"127.0.0.1:{port}", "--max-requests", "15", "wsgi:app"]
    with Process(command, tmp_path, forking.environment(tmp_path)) as server:
        server.wait(lambda: get(f"http://127.0.0.1:{port}/")[0] == 200, "gunicorn")
        answers = []
        while len(answers) < 60:
            status, body = get(f"http://127.0.0.1:{port}/count")
            assert status == 200, server.stderr
            answers.append(json.loads(body))
        killed = answers[-1]["pid"]
        os.kill(killed, signal.SIGKILL)
        last = [json.loads(get(f"http://127.0.0.1:{port}/")[1]) for _ in range(6)]
    assert [answer["total"] for answer in answers] == list(range(1, 61))
    assert {answer["total"] for answer in last} == {60}
    assert len({answer["id"] for answer in answers + last}) == 1
    assert len({answer["pid"] for answer in answers}) >= 3


def test_the_key_of_a_run_is_that_of_a_living_process_and_never_of_a_later_one():
    from otel_chatbot.metrics.shared import run_key

    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    key = run_key.identity(child.pid)
    assert key is not None
    assert key != run_key.identity(os.getpid())
    assert run_key.is_gone(key) is False
    assert run_key.is_gone(key.replace(f"{child.pid}-", f"{child.pid}-9")) is True, "the same pid, started at another time"
    child.communicate(b"\n", timeout=20)
    assert run_key.is_gone(key) is True
    assert run_key.is_gone("1-1-0123abcd") is None
    assert run_key.is_gone("something else") is None
