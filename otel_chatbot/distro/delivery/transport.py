"""Puts encoded requests into the spool. Only if the disk takes none, a request is posted directly.

Fed by `delivery.spool_exporters` (on the threads of the batch processors); feeds `distro.delivery.spool`, from which
`distro.delivery.sender` posts. If requests were written only after a failed post, a kill would lose those in flight.
"""

from __future__ import annotations

import functools
from pathlib import Path

from ... import config
from ...metrics.record import dropped
from ...semconv.attributes import DropReason, Signal
from .otlp import Target, Verdict, compressed, count_items
from .sender import Sender
from .spool import Payload, Spool


class ToSpool:
    """Writes one signal's requests to the spool; if the disk takes none, posts them directly, once."""

    def __init__(self, spool: Spool, sender: Sender, target: Target) -> None:
        self._spool = spool
        self._sender = sender
        self._target = target

    def deliver(self, request: bytes) -> None:
        """Keep an OTLP request; if neither the disk nor the endpoint takes it, it is counted as lost."""
        payload = compressed(self._target.signal, request)
        try:
            self._spool.put(payload)
        except OSError as error:
            self._past_the_spool(payload, error)
        else:
            self._sender.wake()

    def _past_the_spool(self, payload: Payload, error: OSError) -> None:
        reason = error.strerror or error
        self._sender.warn(
            "write", f"{self._spool.folder} cannot be written ({reason}); what the endpoint does not take is lost"
        )
        if self._target.post(payload).verdict is not Verdict.TAKEN:
            dropped(payload.signal, DropReason.WRITE_FAILED, count_items(payload))
        self._target.close()  # a process that is forked later would share the connection


@functools.lru_cache(maxsize=1)
def spool() -> Spool:
    """The spool that the settings name."""
    settings = config.current()
    return Spool(
        Path(settings.spool_path).absolute(),
        settings.spool_max_bytes,
        lambda payload: dropped(payload.signal, DropReason.SPOOL_FULL, count_items(payload)),
    )


@functools.lru_cache(maxsize=1)
def sender() -> Sender:
    """The process's sender."""
    return Sender(spool(), {signal: Target(signal) for signal in Signal})


def to_spool(signal: Signal) -> ToSpool:
    """The writer of a signal's requests."""
    return ToSpool(spool(), sender(), Target(signal))
