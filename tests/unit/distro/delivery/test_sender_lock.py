"""One process of a machine sends what is in a spool; when it ends, however that is, another one can."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from otel_chatbot.distro.delivery import sender_lock
from otel_chatbot.distro.delivery.sender_lock import SenderLock


def test_there_is_one_sender_per_machine(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from otel_chatbot.distro.delivery.sender_lock import SenderLock; "
        "l = SenderLock(pathlib.Path(sys.argv[1])); print(l.take(), flush=True); sys.stdin.readline()"
    )
    lock = SenderLock(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        assert not lock.take()
        other.kill()
    assert lock.take(), "the kernel gives the lock of a dead process back"
    lock.release()


def test_a_folder_that_somebody_cleared_gets_a_lock_that_others_find(tmp_path: Path) -> None:
    lock = SenderLock(tmp_path)
    assert lock.take()
    (tmp_path / "sender.lock").unlink()
    assert lock.take()
    assert (tmp_path / "sender.lock").exists()
    lock.release()


def test_a_lock_that_was_given_back_can_be_taken_again_and_the_folder_is_made(tmp_path: Path) -> None:
    lock = SenderLock(tmp_path / "logs" / "spool")
    assert not lock.held
    assert [lock.take(), lock.take(), lock.held] == [True, True, True]
    lock.release()
    lock.release()
    assert not lock.held
    assert lock.take()
    lock.release()


def test_a_folder_that_cannot_be_made_or_locked_is_an_error_and_not_another_sender(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        SenderLock(tmp_path / "file" / "spool").take()

    def without_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(sender_lock.fcntl, "lockf", without_locks)
    lock = SenderLock(tmp_path)
    with pytest.raises(OSError, match=os.strerror(errno.ENOLCK)):
        lock.take()
    assert not lock.held
