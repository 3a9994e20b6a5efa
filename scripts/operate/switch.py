"""Switches the service to new parts: stop it, exchange the parts, start it; after any failure, everything is put back.

    with live(home, service, swap, CODE, release, seconds) as instance:
        ...verify instance...              # an exception here brings the old service back

Fed by `deploy` and `rollback`; feeds `swap` and `service`.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import configuration
import processes
from checks import Instance
from layout import Home, OperateError, Release
from service import Process, Unit, taken
from steps import NOT_PUT_BACK
from swap import Swap, recover


def instance_of(home: Home, service: Process | Unit, release: Release) -> Instance:
    """The running service, for the checks."""
    config = configuration.read(home.part("service.env"))
    return Instance(release.port, config, service.running, service.said)


def check_port(home: Home, service: Process | Unit, port: int) -> None:
    """OperateError if another program listens on the service's port."""
    old = home.release
    if taken(port) and not (service.running() and old is not None and old.port == port):
        raise OperateError(f"Port {port} is taken by another program.", "End that one, or choose another with --port.")


@contextmanager
def live(
    home: Home, service: Process | Unit, swap: Swap, parts: Sequence[str], release: Release, seconds: float
) -> Iterator[Instance]:
    """Run the service with the new parts; keep them if the body ends without an error."""
    old, was_running = home.release, service.running()
    try:
        if was_running:
            service.stop()
        check_port(home, service, release.port)
        swap.exchange(parts, was_running=was_running)
        home.part("data").mkdir(exist_ok=True)
        service.start(release)
        instance = instance_of(home, service, release)
        instance.healthy(seconds)
        yield instance
        swap.commit()
    except BaseException as error:
        for number in (signal.SIGINT, signal.SIGTERM):  # no interruption half-way; not SIG_IGN, which the service would inherit
            signal.signal(number, lambda *_: None)
        try:
            _put_back(home, service, swap, old if was_running else None, seconds)
        except (OperateError, OSError) as second:
            raise OperateError(
                f"{error}\nAnd the service could not be put back: {second}",
                f"The backup of the state before is complete: restore it by hand into {home.path}.",
                NOT_PUT_BACK,
            ) from error
        raise


def _put_back(home: Home, service: Process | Unit, swap: Swap, old: Release | None, seconds: float) -> None:
    if service.running():
        service.stop()
    swap.put_back()
    if old is not None:
        service.start(old)
        instance_of(home, service, old).healthy(seconds)


def recovered(home: Home, service: Process | Unit) -> str:
    """Repair what a killed run left: end its candidate, put the old parts back, start the service if it ran before."""
    left = home.run.with_name("candidate.json")
    if left.exists():
        record = json.loads(left.read_text(encoding="utf-8"))
        processes.end(record["pid"], record["began"], 5.0)
        left.unlink()
    outcome = recover(home)
    if outcome in ("restart", "stopped"):
        service.stop()
    old = home.release
    if outcome == "restart" and old is not None:
        service.start(old)
    return {
        "": "",
        "finished": "An earlier run was killed after its end; its remains were removed.",
        "stopped": "An earlier run was killed; the state before it is back.",
        "restart": "An earlier run was killed; the state before it is back, and the service was started.",
    }[outcome]
