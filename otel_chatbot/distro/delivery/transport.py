"""The transport under the OTLP/HTTP exporters: a payload goes to the spool first, always, and is answered with 200.

Fed by the exporters (on their own threads); feeds `distro.delivery.spool`, from which `distro.delivery.sender` posts. Wrapping
`export()` instead would hide the endpoint's status, and writing only after a failure loses what is in flight at a kill.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from opentelemetry.exporter.http.transport._base import BaseHTTPResult, BaseHTTPTransport

from ... import config
from ...metrics.record import dropped
from ...semconv.attributes import DropReason, Signal
from .otlp import Target, Verdict, count_items
from .sender import Sender
from .spool import Payload, Spool


@dataclass(frozen=True, slots=True)
class Spooled(BaseHTTPResult):
    """The exporter's answer: the payload is on disk, or was sent past it."""

    sent_headers: Mapping[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        """An empty OTLP answer."""
        return b""

    def headers(self) -> Mapping[str, str]:
        """None."""
        return self.sent_headers


class SpoolTransport(BaseHTTPTransport):
    """Writes one signal's payloads to the spool; where the disk takes none, posts them directly, once."""

    def __init__(self, spool: Spool, sender: Sender, target: Target) -> None:
        self._spool = spool
        self._sender = sender
        self._target = target

    def request(
        self,
        method: str,  # noqa: ARG002 - the base class's signature
        url: str,  # noqa: ARG002
        *,
        headers: dict[str, str] | None = None,
        timeout: float | None = None,  # noqa: ARG002
        data: bytes | None = None,
    ) -> BaseHTTPResult:
        """Keep the body; see `BaseHTTPTransport.request`. URL, headers and timeout are the sender's business."""
        encoding = next((v for k, v in (headers or {}).items() if k.lower() == "content-encoding"), "")
        payload = Payload(self._target.signal, data or b"", encoding)
        try:
            self._spool.put(payload)
        except OSError as error:
            self._past_the_spool(payload, error)
        else:
            self._sender.wake()
        return Spooled(200, "OK")

    def _past_the_spool(self, payload: Payload, error: OSError) -> None:
        reason = error.strerror or error
        self._sender.warn(
            "write", f"{self._spool.folder} cannot be written ({reason}); what the endpoint does not take is lost"
        )
        if self._target.post(payload).verdict is not Verdict.TAKEN:
            dropped(payload.signal, DropReason.WRITE_FAILED, count_items(payload))
        self._target.close()  # a process that is forked later would share the connection

    def close(self) -> None:
        """The sender outlives the exporters: it is closed last."""

    def is_connection_error(self, exception: Exception | None) -> bool:  # noqa: ARG002
        """There is no connection here."""
        return False


@functools.lru_cache(maxsize=1)
def spool() -> Spool:
    """The spool of the settings."""
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


def durable_transport(signal: Signal) -> SpoolTransport:
    """A transport for the exporter of a signal."""
    return SpoolTransport(spool(), sender(), Target(signal))
