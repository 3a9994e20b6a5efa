"""Decides which requests the viewer answers: those of its own page and of programs on this machine, or those with the token.

Fed by `ui.server` with each request's headers. The viewer shows what users said. So no other site's page may read it or post
to it, also if its browser reaches this address under another name (DNS rebinding).
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

COOKIE: Final = "otel_chatbot_ui"
_NAMES: Final = frozenset({"localhost"})


def is_loopback(host: str) -> bool:
    """Whether an address or name means this machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() in _NAMES


@dataclass(frozen=True)
class Guard:
    """Checks a request. Without a token the viewer listens on loopback alone, and only loopback names are accepted."""

    token: str = ""

    def refusal(self, headers: Mapping[str, str], query_token: str = "") -> tuple[int, str] | None:
        """The status and the reason if the request is refused; None if it is allowed."""
        host = headers.get("Host", "")
        origin = headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return 403, "this page is of another origin"
        if not self.token:
            return (
                None if is_loopback(_name(host)) else (403, f"the host {host[:100]!r} is not this machine's loopback address")
            )
        given = query_token or _bearer(headers.get("Authorization", "")) or _cookie(headers.get("Cookie", ""))
        if hmac.compare_digest(given.encode(), self.token.encode()):
            return None
        return 401, "a token is needed: open the address that the viewer printed, or send Authorization: Bearer <token>"


def _name(host: str) -> str:
    """The host without its port."""
    if host.startswith("["):
        return host.partition("]")[0][1:]
    return host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and ":" in host else host


def _bearer(value: str) -> str:
    kind, _, token = value.partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def _cookie(value: str) -> str:
    for part in value.split(";"):
        name, _, token = part.strip().partition("=")
        if name == COOKIE:
            return token
    return ""
