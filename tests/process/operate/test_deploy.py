"""Deployment by the scripts: six steps, and whatever fails in one, the running service stays as it was, byte for byte."""

from __future__ import annotations

import json
import os
import resource
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.operate import APP, Done, Locks, Service, kill_at, tree
from support.process import Process, clean_env, free_port, get, wait_for

AFTER = "app = Flask(__name__)\n"
SHELF = "import otel_chatbot\notel_chatbot.get_health_checker().register_check('shelf', lambda: 1 / 0, readiness=True)\n"
BROKEN = {
    "does not start": "raise RuntimeError('it does not start')\n" + APP,
    "is never ready": APP.replace(AFTER, AFTER + SHELF),
    "fails chats": APP.replace("text = ", "1 / 0; text = "),
    "counts nothing": APP.replace(AFTER, AFTER + "app.get('/metrics')(lambda: '# TYPE own_metric gauge')\n"),
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, locks: Locks, venvs: Path) -> Iterator[Service]:
    """A service at version 1, with data; the tests that share it leave it as it was."""
    service = Service(tmp_path_factory.mktemp("running"), locks, venvs)
    done = service.deploy("--version", "1", "--yes")
    assert done.code == 0, done
    service.chat("kept in the data")
    yield service
    service.end()


@pytest.fixture
def own(tmp_path: Path, locks: Locks, venvs: Path) -> Iterator[Service]:
    """A service of the test's own, with nothing deployed."""
    service = Service(tmp_path, locks, venvs)
    yield service
    service.end()


def assert_untouched(service: Service, before: dict[str, bytes], pid: int) -> None:
    assert service.state() == before
    assert service.pid == pid
    assert service.version() == "good"
    assert not (service.home / ".swap").exists()
    assert not (service.home / "run" / "candidate.json").exists()


def failed(service: Service, step: int, *arguments: str, **how) -> Done:
    """Deploy version 2, which fails in this step and leaves the running version 1 as it was."""
    before, pid = service.state(), service.pid
    done = service.deploy("--version", "2", "--yes", *arguments, **how)
    assert done.code == 1, done
    last = done.stdout.strip().splitlines()
    assert any(line.startswith(f"[{step}/6]") and "FAILED" in line for line in last), done
    assert f"[{step + 1}/6]" not in done.stdout
    assert "What to do: " in done.stderr
    assert_untouched(service, before, pid)
    return done


def no_space() -> None:
    """What a full disk does to a process: a file cannot grow any more."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))


def test_the_six_steps_are_printed_with_result_and_time_and_kept_as_json(running: Service) -> None:
    steps = [line for line in running.log() if line["action"] == "deploy" and "step" in line][:6]
    assert [line["step"] for line in steps] == [1, 2, 3, 4, 5, 6]
    assert all(line["result"] == "ok" and line["seconds"] >= 0 and line["detail"] for line in steps), steps
    assert "nothing is deployed yet" in steps[0]["detail"]
    assert "6 routes, 16 metrics" in steps[5]["detail"]


def test_step_1_a_backup_that_cannot_be_written_stops_everything(running: Service) -> None:
    (running.folder / "a-file").touch()
    done = failed_early(running, "--backup-dir", str(running.folder / "a-file" / "backups"))
    assert "a-file" in done.stderr


def test_step_1_a_full_disk_stops_everything_and_leaves_no_half_backup(running: Service) -> None:
    there = running.backups()
    (running.home / "data" / "noise").write_bytes(os.urandom(5000))
    try:
        done = failed_early(running, before=no_space)
    finally:
        (running.home / "data" / "noise").unlink()
    assert "File too large" in done.stderr
    assert running.backups() == there
    assert not list((running.home / "backups").glob(".*"))


def failed_early(service: Service, *arguments: str, **how) -> Done:
    before, pid = service.state(), service.pid
    done = service.deploy("--version", "2", "--yes", *arguments, **how)
    assert (done.code, "[2/6]" in done.stdout) == (1, False), done
    assert "FAILED" in done.stdout
    assert "What to do: " in done.stderr
    assert_untouched(service, before, pid)
    return done


def test_step_2_a_python_without_venv_is_named(running: Service, tmp_path: Path) -> None:
    (tmp_path / "ensurepip.py").write_text("raise ImportError('no ensurepip here')")
    done = failed(running, 2, env={"PYTHONPATH": str(tmp_path)})
    assert "no ensurepip here" in done.stderr
    assert "python3-venv" in done.stderr


def test_step_2_a_port_of_another_program_is_named(running: Service) -> None:
    port = free_port()
    with Process([sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"], running.folder / "other") as other:
        other.wait(lambda: get(f"http://127.0.0.1:{port}/")[0], "the other program")
        done = failed(running, 2, "--port", str(port))
    assert f"Port {port} is taken" in done.stderr


def test_step_3_a_package_with_another_hash_is_not_installed(running: Service) -> None:
    there = tree(running.home / "venvs").keys()
    done = failed(running, 3, lock=running.locks.lock("1.5", right=False))
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert tree(running.home / "venvs").keys() == there


def test_step_3_a_lock_that_lacks_what_its_packages_need_is_told_of_and_not_installed(running: Service) -> None:
    there = tree(running.home / "venvs").keys()
    done = failed(running, 3, lock=running.locks.lock("1.6", needs="forgotten>=2"))
    assert "The lock is not complete: shown 1.6 requires forgotten, which is not installed." in done.stderr
    assert "--generate-hashes" in done.stderr
    assert tree(running.home / "venvs").keys() == there


def test_step_4_a_database_that_does_not_answer_is_named_without_its_password(running: Service) -> None:
    config = running.folder / "wrong.env"
    config.write_text(f"MONGODB_URI=mongodb://ann:secret-word@127.0.0.1:{free_port()}/chat?serverSelectionTimeoutMS=300\n")
    done = failed(running, 4, "--config", str(config))
    assert "MongoDB does not answer: ServerSelectionTimeoutError" in done.stderr
    assert "MONGODB_URI" in done.stderr
    assert "secret-word" not in str(done) + (running.home / "operate.jsonl").read_text()


@pytest.mark.parametrize(
    ("broken", "step", "word"),
    [
        ("does not start", 5, "it does not start"),
        ("is never ready", 5, "shelf"),
        ("fails chats", 6, "POST /chat answers 500"),
        ("counts nothing", 6, "/metrics lacks chatbot_conversations_created_total"),
    ],
)
def test_steps_5_and_6_a_candidate_that_does_not_do_is_never_live(running: Service, broken: str, step: int, word: str) -> None:
    done = failed(
        running, step, "--timeout", "20" if broken == "is never ready" else "60", app=running.source("bad", BROKEN[broken])
    )
    assert word in done.stderr, done


def test_step_6_what_works_as_a_candidate_but_not_live_is_taken_back(running: Service) -> None:
    """The one failure in which the service is restarted: all files are as before, and it answers."""
    trap = f"\nif os.environ['PORT'] == '{running.port}':\n    raise SystemExit('not on this port')\n"
    before = running.state()
    done = running.deploy(
        "--version", "2", "--yes", app=running.source("trap", APP.replace("\nif __name__", trap + "\nif __name__"))
    )
    assert done.code == 1
    assert "not on this port" in done.stderr
    assert_untouched(running, before, running.pid)
    ignored = next(line for line in Path(f"/proc/{running.pid}/status").read_text().splitlines() if line.startswith("SigIgn"))
    assert not int(ignored.split()[1], 16) & (1 << signal.SIGTERM - 1), "it could not be asked to end any more"


def test_wrong_arguments_and_files_that_are_not_there_change_nothing(running: Service) -> None:
    before, pid = running.state(), running.pid
    assert running.deploy("--keep", "0").code == 2
    assert running.deploy("--nonsense").code == 2
    missing = running.deploy("--yes", app=running.folder / "nowhere")
    assert (missing.code, "nowhere does not exist" in missing.stderr) == (1, True)
    (running.folder / "bad.env").write_text("A=1\nnot a setting\n")
    wrong = running.deploy("--yes", "--config", str(running.folder / "bad.env"))
    assert (wrong.code, "bad.env, line 2" in wrong.stderr) == (1, True)
    assert_untouched(running, before, pid)


def test_without_yes_it_asks_and_no_answer_is_a_no(running: Service) -> None:
    before, pid = running.state(), running.pid
    for answer in ("", "n\n", "anything\n"):
        done = running.deploy("--version", "2", answer=answer)
        assert (done.code, "Deploy version 2 of" in done.stdout) == (4, True), done
    assert_untouched(running, before, pid)


def test_a_rehearsal_says_what_each_step_would_do_and_writes_nothing(running: Service) -> None:
    def everything() -> dict[str, tuple[float, int]]:
        paths = [path for path in running.home.rglob("*") if "venvs" not in path.parts and "logs" not in path.parts]
        return {str(path): (path.stat().st_mtime, path.stat().st_size) for path in paths}

    before = everything()
    done = running.deploy("--version", "2", "--dry-run")
    assert done.code == 0, done
    assert [line[:5] for line in done.stdout.splitlines() if line.startswith("[")] == [f"[{n}/6]" for n in range(1, 7)]
    assert done.stdout.count("would ") >= 5
    assert everything() == before


def test_a_second_deployment_at_the_same_time_is_refused(running: Service) -> None:
    held = f"import fcntl; lock = open({str(running.home / '.lock')!r}, 'a'); fcntl.lockf(lock, fcntl.LOCK_EX); print('held', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", held], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        done = running.deploy("--yes")
        other.communicate(b"\n", timeout=10)
    assert (done.code, "Another deployment or rollback" in done.stderr) == (1, True)


def test_a_deployment_that_is_interrupted_by_a_signal_cleans_up(running: Service) -> None:
    before, pid = running.state(), running.pid
    slow = running.source("slow", APP.replace("app = Flask", "import time; time.sleep(60)\napp = Flask"))
    words = ["--home", running.home, "--app", slow, "--requirements", running.locks.lock("1.0"), "--no-package", "--yes"]
    command = [sys.executable, str(Path("scripts/operate/deploy.py").resolve()), *map(str, words)]
    with Process(command, running.folder, name="interrupted") as script:
        script.wait(lambda: (running.home / "run" / "candidate.json").exists(), "the candidate")
        candidate = json.loads((running.home / "run" / "candidate.json").read_text())["pid"]
        assert script.end() == 1
    assert "Interrupted" in script.stderr
    assert not Path(f"/proc/{candidate}").exists()
    assert_untouched(running, before, pid)


def test_after_a_kill_in_the_middle_the_next_run_puts_the_old_state_back_and_starts_it(running: Service) -> None:
    """Each moment of the exchange has its turn in the tests of the rollback, which exchanges in the same way."""
    before = running.state()
    words = ["--home", running.home, "--app", running.source("good"), "--requirements", running.locks.lock("1.0")]
    killed = running.run("deploy", *map(str, words), "--no-package", "--yes", "--version", "2", code=kill_at(4))
    assert killed.code == -signal.SIGKILL, killed
    done = running.deploy("--version", "2", answer="n\n")
    assert "the state before it is back" in done.stdout
    assert running.state() == before
    wait_for(lambda: running.version() == "good", "the service", 60)
    assert_untouched(running, before, running.pid)


def test_the_service_gets_its_configuration_and_nothing_else_of_the_shell(own: Service) -> None:
    apart = free_port()
    own.config.write_text(
        "# settings\nexport GREETING='hello there'\nOTEL_RESOURCE_ATTRIBUTES=team=blue,service.version=0\n"
        f"CHATBOT_OTEL_ENDPOINT_PORT={apart}\nCHATBOT_OTEL_ENDPOINT_TOKEN=secret\n"
    )
    shows = APP + '\n@app.get("/environment")\ndef environment():\n    return jsonify(dict(os.environ))\n'
    shows = shows.replace('\nif __name__ == "__main__":\n    app.run(port=int(os.environ["PORT"]))\n', "")
    shows += '\nif __name__ == "__main__":\n    app.run(port=int(os.environ["PORT"]))\n'
    done = own.deploy(
        "--version", "3 beta", "--yes", "--config", str(own.config), app=own.source("shows", shows), env={"LEAKED": "yes"}
    )
    assert done.code == 0, done
    found = json.loads(get(f"http://127.0.0.1:{own.port}/environment")[1])
    assert (found["GREETING"], found["DATA_DIR"]) == ("hello there", str(own.home / "data"))
    assert found["OTEL_RESOURCE_ATTRIBUTES"] == "team=blue,service.version=3%20beta"
    assert "LEAKED" not in found
    assert stat.S_IMODE((own.home / "service.env").stat().st_mode) == 0o600
    status, text = get(f"http://127.0.0.1:{apart}/health/detailed", {"Authorization": "Bearer secret"})
    assert (status, json.loads(text)["version"]) == (200, "3 beta")


def test_markers_old_backups_and_a_process_that_has_the_recorded_id(own: Service) -> None:
    """Three deployments in a row: each leaves a marker, the oldest backup goes, and nobody else's process is ended."""
    (own.home / "venvs").unlink()
    own.deploy("--version", "1", "--yes")
    pid = own.pid
    own.end()
    with Process([sys.executable, "-c", "import time; time.sleep(60)"], own.folder, name="innocent") as innocent:
        record = own.home / "run" / "service.json"
        assert json.loads(record.read_text())["pid"] == pid
        record.write_text(json.dumps({**json.loads(record.read_text()), "pid": innocent.pid}))
        done = own.deploy("--version", "2", "--yes")
        assert done.code == 0, done
        assert innocent.popen.poll() is None
    (own.home / "venvs" / "needed-by-none").mkdir()
    done = own.deploy("--version", "3", "--yes", "--keep", "1")
    assert done.code == 0, done
    assert own.version() == "good"

    [archive] = own.backups()
    kept = json.loads(archive.with_name(archive.name.replace("tar.gz", "json")).read_text())
    assert kept["version"] == "2"
    assert [path.name for path in (own.home / "venvs").iterdir()] == [kept["venv"]]
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600

    markers = [json.loads(line) for line in (own.home / "annotations.jsonl").read_text().splitlines()]
    assert [marker["tags"] for marker in markers] == [["deploy", "chatbot", f"version:{number}"] for number in (1, 2, 3)]
    assert all(abs(marker["time"] / 1000 - time.time()) < 120 for marker in markers)


SYSTEMCTL = """#!{python}
import json, os, signal, subprocess, sys
from pathlib import Path
verb, unit, kept = sys.argv[1], sys.argv[-1], Path({kept!r})
with Path({calls!r}).open("a") as file:
    file.write(" ".join(sys.argv[1:]) + "\\n")
assert unit == "chatbot.service"
def alive():
    try:
        fields = Path(f"/proc/{{kept.read_text()}}/stat").read_text().rpartition(")")[2].split()
        return fields[0] != "Z" or int(fields[17]) > 1
    except OSError:
        return False
if verb == "is-active":
    sys.exit(0 if alive() else 3)
if verb == "stop":
    os.kill(int(kept.read_text()), signal.SIGTERM)
    import time
    while alive():
        time.sleep(0.05)
if verb == "start":
    out = open(os.devnull, "w")
    child = subprocess.Popen([{python!r}, {run!r}, "--home", {home!r}], stdout=out, stderr=out, start_new_session=True)
    kept.write_text(str(child.pid))
"""


def test_a_systemd_unit_is_stopped_and_started_by_its_name(own: Service) -> None:
    programs, calls, kept = own.folder / "programs", own.folder / "calls", own.folder / "kept"
    programs.mkdir()
    run = str(Path("scripts/operate/run.py").resolve())
    fill = {"python": sys.executable, "kept": str(kept), "calls": str(calls), "run": run, "home": str(own.home)}
    (programs / "systemctl").write_text(SYSTEMCTL.format(**fill))
    (programs / "systemctl").chmod(0o755)
    env = {"PATH": f"{programs}{os.pathsep}{clean_env()['PATH']}"}
    try:
        for version in ("1", "2"):
            done = own.deploy("--version", version, "--yes", "--unit", "chatbot.service", env=env)
            assert done.code == 0, done
        assert own.version() == "good"
        assert not (own.home / "run" / "service.json").exists()
    finally:
        os.kill(int(kept.read_text()), signal.SIGTERM)
    verbs = [line for line in calls.read_text().splitlines() if not line.startswith("is-active")]
    assert verbs == ["start chatbot.service", "stop chatbot.service", "start chatbot.service"]
