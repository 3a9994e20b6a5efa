"""Rolling back by the scripts: a backup is restored whole, or everything stays as it was, byte for byte."""

from __future__ import annotations

import hashlib
import io
import json
import os
import resource
import shutil
import signal
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.operate import APP, Locks, Service, kill_at, tree
from support.process import clean_env, wait_for
from support.servers import MongoServer

NEW = APP.replace('VERSION = "good"', 'VERSION = "new"')


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory, locks: Locks, venvs: Path) -> Iterator[Service]:
    """Version 2 runs, and there is a backup of version 1; what tests add to the backups, they remove."""
    service = Service(tmp_path_factory.mktemp("deployed"), locks, venvs)
    assert service.deploy("--version", "1", "--yes").code == 0
    service.chat("said to version 1")
    (service.folder / "two.env").write_text("GREETING=from version 2\n")
    done = service.deploy(
        "--version", "2", "--yes", "--config", str(service.folder / "two.env"), app=service.source("new", NEW)
    )
    assert done.code == 0, done
    service.chat("said to version 2")
    yield service
    service.end()


@pytest.fixture
def one(deployed: Service) -> Iterator[Service]:
    """The same, and looked at afterwards: whatever the test did, version 2 is there and its backups too."""
    before, kept = deployed.state(), {path.name: path.read_bytes() for path in (deployed.home / "backups").iterdir()}
    yield deployed
    for path in (deployed.home / "backups").iterdir():
        if path.name not in kept:
            path.unlink()
    for name, content in kept.items():
        (deployed.home / "backups" / name).write_bytes(content)
    assert deployed.state() == before
    assert deployed.version() == "new"
    assert not (deployed.home / ".swap").exists()


def only(service: Service) -> Path:
    [archive] = service.backups()
    return archive


def name_of(archive: Path) -> str:
    return archive.name.removesuffix(".tar.gz")


def describe(archive: Path, **changes: object) -> None:
    """Write a description that is right about an archive's size and checksum, as a forger would."""
    path = archive.with_name(f"{name_of(archive)}.json")
    right = {"size": archive.stat().st_size, "sha256": hashlib.sha256(archive.read_bytes()).hexdigest()}
    path.write_text(json.dumps({**json.loads(path.read_text()), **right, **changes}))


def refused(service: Service, *words: str, arguments: tuple[str, ...] = (), name: str = "", **how) -> None:
    """Rolling back fails, says these words, and the service runs on in the same process with the same files."""
    before, pid = service.state(), service.pid
    done = service.rollback("--backup", name or name_of(only(service)), "--yes", *arguments, **how)
    assert done.code == 1, done
    for word in words:
        assert word in done.stderr, done
    assert "What to do: " in done.stderr
    assert service.state() == before
    assert (service.pid, service.version()) == (pid, "new")


def test_the_list_shows_the_newest_first_with_date_version_size_and_checksum(one: Service) -> None:
    other = one.home / "backups" / "20991231T000000Z-9.tar.gz"
    shutil.copy(only(one), other)
    description = json.loads(only_description(one).read_text())
    newer = {**description, "id": name_of(other), "version": "9", "created": "2099-12-31T00:00:00+00:00"}
    other.with_name(f"{name_of(other)}.json").write_text(json.dumps(newer))
    done = one.rollback("--list")
    assert done.code == 0
    first, second = done.stdout.splitlines()
    assert first.split()[:3] == ["1", "2099-12-31T00:00:00+00:00", "9"]
    assert second.split()[:3] == ["2", description["created"], "1"]
    assert all("kB" in line and line.endswith("checksum is right") for line in (first, second))


def only_description(service: Service) -> Path:
    return next(path for path in (service.home / "backups").glob("*.json") if not path.name.startswith("2099"))


def test_a_wrong_choice_asks_again_and_q_changes_nothing(one: Service) -> None:
    before, pid = one.state(), one.pid
    done = one.rollback(answer="0\n7\nfirst\n\nq\n")
    assert (done.code, done.stdout.count("is not one of 1, or q")) == (4, 4), done
    assert one.rollback(answer="1\nn\n").code == 4
    assert one.rollback(answer="").code == 4
    assert (one.state(), one.pid) == (before, pid)


def test_a_truncated_archive_is_refused(one: Service) -> None:
    content = only(one).read_bytes()
    only(one).write_bytes(content[: len(content) // 2])
    refused(one, "truncated or changed")
    describe(only(one))  # even if somebody noted the size and checksum of the half
    refused(one, "no readable archive")


def test_an_archive_with_one_changed_byte_is_refused(one: Service) -> None:
    content = bytearray(only(one).read_bytes())
    content[len(content) // 2] ^= 1
    only(one).write_bytes(content)
    refused(one, "does not have the checksum")
    assert "UNUSABLE" in one.rollback("--list").stdout


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"service": "0" * 32}, "another service"), ({"format": 7}, "format 7"), ({"surprise": 1}, "not a description")],
)
def test_a_foreign_archive_is_refused(one: Service, changes: dict[str, object], words: str) -> None:
    describe(only(one), **changes)
    refused(one, words)


def test_an_archive_without_its_description_is_refused(one: Service) -> None:
    only_description(one).unlink()
    refused(one, "not one of ours, or unfinished")
    refused(one, "There is no backup nowhere", name="nowhere")


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


ESCAPES = {
    "up": [member("state/app/../../../escaped")],
    "absolute": [member("/tmp/escaped")],
    "a drive": [member("state/C:/escaped")],
    "backslashes": [member("state/app/..\\..\\escaped")],
    "another part": [member("state/venvs/escaped")],
    "beside the state": [member("escaped")],
    "a link out": [member("state/app/link", tarfile.SYMTYPE, "../../escaped")],
    "a link to the root": [member("state/app/link", tarfile.SYMTYPE, "/etc")],
    "a hard link": [member("state/app/link", tarfile.LNKTYPE, "/etc/passwd")],
    "a device": [member("state/app/device", tarfile.CHRTYPE)],
    "through a link": [
        member("state/app/here", tarfile.DIRTYPE),
        member("state/app/link", tarfile.SYMTYPE, "here"),
        member("state/app/link/file"),
    ],
}


@pytest.mark.parametrize("kind", ESCAPES)
def test_a_path_that_leaves_the_service_is_refused(one: Service, kind: str) -> None:
    outside = tree(one.folder / "source")
    with tarfile.open(only(one), "r:gz") as tar:
        members = [(info, tar.extractfile(info).read() if info.isreg() else b"") for info in tar.getmembers()]
    with tarfile.open(only(one), "w:gz") as tar:
        for info, content in [*members, *((info, b"") for info in ESCAPES[kind])]:
            tar.addfile(info, io.BytesIO(content))
    describe(only(one))
    refused(one, "is refused")
    assert tree(one.folder / "source") == outside
    assert not list(one.folder.rglob("escaped"))


def test_a_full_disk_is_said_before_the_service_is_stopped(one: Service) -> None:
    """A file cannot grow any more while the backup is unpacked: the same as no space, without filling the machine's disk."""

    def no_space() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (400, 400))

    refused(one, "File too large", before=no_space)
    describe(only(one), unpacked=10**15)
    refused(one, "MB free and")


def test_a_backup_that_does_not_work_any_more_is_taken_back(one: Service) -> None:
    with tarfile.open(only(one), "r:gz") as tar:
        members = [(info, tar.extractfile(info).read() if info.isreg() else b"") for info in tar.getmembers()]
    with tarfile.open(only(one), "w:gz") as tar:
        for info, content in members:
            if info.name == "state/app/app.py":
                content = b"raise RuntimeError('rotten')\n" + content
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    describe(only(one))
    before = one.state()
    done = one.rollback("--backup", name_of(only(one)), "--yes", "--timeout", "60", "--grace", "10")
    assert (done.code, "rotten" in done.stderr) == (1, True), done
    assert one.state() == before
    assert one.version() == "new"


def test_a_restore_that_is_killed_at_any_moment_leaves_the_old_state_to_the_next_run(one: Service, scale: int) -> None:
    before = one.state()
    killed = 0
    for moment in [1, 2, 9] if scale == 1 else range(1, 15):
        name = name_of(min(one.backups()))
        words = ["--home", str(one.home), "--backup", name, "--yes"]
        done = one.run("rollback", *words, code=kill_at(moment))
        if done.code == 0:  # there are fewer renames than that: put version 2 back
            assert one.rollback("--backup", name_of(one.backups()[-1]), "--yes").code == 0
            break
        assert done.code == -signal.SIGKILL, done
        killed += 1
        again = one.rollback(answer="q\n")
        assert "the state before it is back, and the service was started" in again.stdout
        assert one.state() == before
        wait_for(lambda: one.version() == "new", "the service", 60)
    assert killed >= 3


@pytest.fixture
def own(tmp_path: Path, deployed: Service, locks: Locks, venvs: Path) -> Iterator[Service]:
    """A copy of the deployed service, stopped, with its backup: the test's own to change."""
    service = Service(tmp_path, locks, venvs)
    shutil.rmtree(service.home)
    shutil.copytree(deployed.home, service.home, symlinks=True, ignore=shutil.ignore_patterns("run", "operate.jsonl"))
    path = service.home / "release.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "port": service.port}))
    yield service
    service.end()


def on_port(service: Service, archive: Path) -> None:
    """The backup was made of a service on another port: have it say this one's."""
    with tarfile.open(archive, "r:gz") as tar:
        members = [(info, tar.extractfile(info).read() if info.isreg() else b"") for info in tar.getmembers()]
    with tarfile.open(archive, "w:gz") as tar:
        for info, content in members:
            if info.name == "state/release.json":
                content = json.dumps({**json.loads(content), "port": service.port}).encode()
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    describe(archive)


def test_code_configuration_and_data_go_back_the_logs_stay_and_the_way_forward_too(own: Service) -> None:
    old, newer = only(own), own.state()
    on_port(own, old)
    (own.home / "logs" / "evidence.log").write_text("what went wrong")
    done = own.rollback(answer="1\ny\n")
    assert done.code == 0, done
    assert own.version() == "good"
    restored = own.state()
    assert b"said to version 1" in restored["data/chats.txt"]
    assert b"said to version 2" not in restored["data/chats.txt"]
    assert restored["service.env"].removeprefix(b"0o100600") == b""
    assert (own.home / "logs" / "evidence.log").exists()
    assert [json.loads(line)["tags"][0] for line in (own.home / "annotations.jsonl").read_text().splitlines()][-1] == "rollback"

    [_, replaced] = own.backups()
    assert own.rollback("--backup", name_of(replaced), "--yes").code == 0
    assert own.version() == "new"
    again = own.state()
    assert {name: again[name] for name in newer if not name.startswith("data")} == {
        name: content for name, content in newer.items() if not name.startswith("data")
    }
    assert again["data/chats.txt"].startswith(newer["data/chats.txt"])


def test_on_a_new_machine_a_backup_brings_the_service_with_its_packages(own: Service, tmp_path: Path) -> None:
    archive = only(own)
    on_port(own, archive)
    elsewhere = tmp_path / "elsewhere"
    env = {"PATH": clean_env()["PATH"]}
    done = own.run(
        "rollback",
        "--home",
        str(elsewhere),
        "--backup-dir",
        str(archive.parent),
        "--backup",
        name_of(archive),
        "--yes",
        env=env,
    )
    own.home = elsewhere
    assert done.code == 0, done
    assert "installed again" in done.stdout
    assert own.version() == "good"
    assert (elsewhere / "service.id").read_text().strip() == json.loads(only_description_in(archive.parent).read_text())[
        "service"
    ]


def only_description_in(folder: Path) -> Path:
    [path] = folder.glob("*.json")
    return path


TOOL = """#!/bin/sh
# stands in for MongoDB's tools: a database is a file
for word in "$@"; do case "$word" in
  --config=*) grep -q 'uri: "{uri}"' "${{word#--config=}}" || exit 9;;
  --archive=*) file="${{word#--archive=}}";;
esac; done
printf '%s\\n' "$*" >> {calls}
{action}
"""


def test_the_database_goes_back_when_asked_and_forward_again_when_that_fails(own: Service, mongo_server: MongoServer) -> None:
    """The tools are stand-ins, for there are none to install: what is tested is what they are given, and what becomes of it."""
    database, calls, programs = own.folder / "database", own.folder / "calls", own.folder / "programs"
    programs.mkdir()
    uri = f"mongodb://127.0.0.1:{mongo_server.port}/kept"
    actions = {
        "mongodump": f'cp {database} "$file"',
        "mongorestore": f'cp "$file" {database}; ! grep poison {database}',
    }
    for name, action in actions.items():
        (programs / name).write_text(TOOL.format(uri=uri, calls=calls, action=action))
        (programs / name).chmod(0o755)
    env = {"PATH": f"{programs}{os.pathsep}{clean_env()['PATH']}"}
    (own.home / "service.env").write_text(f"MONGODB_URI={uri}\n")

    def back_up(content: str) -> str:
        database.write_text(content)
        done = own.deploy("--yes", env=env, app=own.source("rotten", "raise SystemExit('rotten')"))
        assert (done.code, "with the database" in done.stdout) == (1, True), done
        return name_of(own.backups()[-1])

    without = name_of(only(own))
    good, poisoned = back_up("good data"), back_up("poison")
    database.write_text("bad data")
    assert "holds no database" in own.rollback("--backup", without, "--yes", "--with-database", env=env).stderr

    failed = own.rollback("--backup", poisoned, "--yes", "--with-database", env=env)
    assert (failed.code, "mongorestore failed" in failed.stderr) == (1, True), failed
    assert database.read_text() == "bad data"

    done = own.rollback("--backup", good, "--yes", "--with-database", env=env)
    assert done.code == 0, done
    assert database.read_text() == "good data"
    words = calls.read_text()
    assert uri not in words, "a password on a command line can be read by everybody"
    assert "--gzip" in words
