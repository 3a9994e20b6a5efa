"""The name of a run: asked of the server that a worker runs under, and decided once."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace

import pytest

from otel_chatbot.metrics.shared import run_key


@pytest.fixture(autouse=True)
def undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_key._Decided, "key", None)
    monkeypatch.setattr(run_key._Decided, "asked", False)


@pytest.fixture
def handlers() -> Iterator[None]:
    before = signal.getsignal(signal.SIGUSR1)
    yield
    signal.signal(signal.SIGUSR1, before)


class Arbiter:
    pid = 77

    def handle(self, *_: object) -> None: ...


class Worker(Arbiter):
    pid, ppid = 78, 77


def gunicorn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gunicorn.arbiter", SimpleNamespace(Arbiter=Arbiter))
    monkeypatch.setitem(sys.modules, "gunicorn.workers.base", SimpleNamespace(Worker=Worker))


def test_a_process_of_its_own_is_named_after_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_key, "_FINDERS", (lambda: None,))
    assert run_key.run_key() == run_key.identity(os.getpid())
    assert run_key.run_key().startswith(f"{os.getpid()}-")


def test_a_worker_is_named_after_the_first_server_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_key, "_FINDERS", (lambda: None, os.getppid, os.getpid))
    assert run_key.run_key() == run_key.identity(os.getppid())


def test_a_key_stays_once_it_is_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_key, "_FINDERS", (os.getppid,))
    key = run_key.run_key()
    monkeypatch.setattr(run_key, "_FINDERS", (os.getpid,))
    assert run_key.run_key() == key


@pytest.mark.parametrize("owner", [Arbiter(), Worker()])
def test_gunicorns_arbiter_is_found_by_the_owner_of_a_signals_handler(
    monkeypatch: pytest.MonkeyPatch, handlers: None, owner: Arbiter
) -> None:
    assert run_key._gunicorn() is None
    gunicorn(monkeypatch)
    assert run_key._gunicorn() is None
    signal.signal(signal.SIGUSR1, owner.handle)
    assert run_key._gunicorn() == 77


def test_uwsgis_master_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "uwsgi", raising=False)
    assert run_key._uwsgi() is None
    module = ModuleType("uwsgi")
    module.masterpid = lambda: 55  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "uwsgi", module)
    assert run_key._uwsgi() == 55


def test_a_key_that_nobody_asked_for_is_forgotten_when_the_arbiter_itself_forks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_key, "_gunicorn", os.getpid)
    monkeypatch.setattr(run_key, "_FINDERS", (os.getppid,))
    monkeypatch.setattr(run_key._Decided, "key", "of-a-process-that-is-gone")
    run_key._before_fork()
    parent = run_key.identity(os.getppid())
    assert run_key._Decided.key == parent
    assert run_key.run_key() == parent
    monkeypatch.setattr(run_key, "_FINDERS", (os.getpid,))
    run_key._before_fork()
    assert run_key._Decided.key == parent, "somebody has asked: it stays"


def test_what_is_known_of_a_run_elsewhere_is_nothing() -> None:
    own = run_key.identity(os.getpid())
    assert own is not None
    assert run_key.is_gone(own) is False
    assert run_key.is_gone(own.replace(f"{os.getpid()}-", f"{os.getpid()}-9", 1)) is True
    assert run_key.is_gone(own[:-8] + "00000000") is None
    assert run_key.is_gone("no key") is None
    assert run_key.identity(2**22 + 1) is None
