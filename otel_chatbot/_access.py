"""Decides who may see `/metrics*` and `/health/detailed`: with a token set, its holders; else in production only near peers.

Fed by the settings ENDPOINT_TOKEN, ENDPOINT_PORT and ENVIRONMENT and by a request's WSGI environ; asked by the views of
`metrics` and `health`. If ENDPOINT_PORT is set, they are not served on the app's port.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from . import config

_logger = logging.getLogger("otel_chatbot")

SHUT: Final = frozenset({"/metrics", "/metrics/json", "/health/detailed"})
"""The paths that are protected."""
APART: Final = "otel_chatbot.apart"
"""This key is true in the environ of a request that came through ENDPOINT_PORT; no client can set it."""

_CLOSE = tuple(
    ipaddress.ip_network(network)
    for network in (
        "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "::1/128", "fc00::/7", "fe80::/10",
    )
)  # fmt: skip
"""Loopback, private and link-local (RFC 1122, 1918, 3927, 4193, 4291)."""

_FORWARDING = ("FORWARDED", "X_FORWARDED", "X_REAL_IP", "X_CLIENT_IP", "VIA", "CF_CONNECTING_IP", "TRUE_CLIENT_IP")
"""Beginnings of headers that a proxy adds, so that the peer is not the client (RFC 7239, RFC 9110 7.6.3, and custom)."""


@dataclass(frozen=True)
class Refusal:
    """The answer to a refused request: a status, a JSON text and headers, as Werkzeug's `Response` takes them."""

    status: int
    body: str
    headers: dict[str, str] = field(default_factory=dict)


class _Told:
    once = False


def denied(environ: Mapping[str, Any]) -> Refusal | None:
    """Why a request must not be served: 404 on the wrong port, 401 for a wrong token, 403 for a far peer; None if it may be served."""
    settings = config.current()
    if settings.endpoint_port and not environ.get(APART):
        return _refuse(404, "not found")
    if settings.endpoint_token:
        return None if _has_token(environ, settings.endpoint_token) else _refuse(401, "a valid token is needed")
    if not settings.production or is_close(environ):
        return None
    if not _Told.once:
        _Told.once = True
        _logger.warning(
            "/metrics* and /health/detailed are refused to peers that are not on this machine or a private network while "
            "ENVIRONMENT=production; set CHATBOT_OTEL_ENDPOINT_TOKEN and send it as `Authorization: Bearer <token>`"
        )
    return _refuse(403, "served only to private peers; set CHATBOT_OTEL_ENDPOINT_TOKEN to ask for a token instead")


def is_close(environ: Mapping[str, Any]) -> bool:
    """Whether a request comes from this machine or a private network, and not through a proxy.

    A peer without an address uses a Unix socket.
    """
    if any(name.startswith("HTTP_") and name[5:].startswith(_FORWARDING) for name in environ):
        return False
    peer_environ = environ.get("werkzeug.proxy_fix.orig") or environ  # ProxyFix replaces the peer's address by that of a header
    address = str(peer_environ.get("REMOTE_ADDR") or "").partition("%")[0]
    if not address:
        return True
    try:
        peer = ipaddress.ip_address(address)
    except ValueError:
        return False
    peer = getattr(peer, "ipv4_mapped", None) or peer
    return any(peer in network for network in _CLOSE)


def _has_token(environ: Mapping[str, Any], token: str) -> bool:
    scheme, _, sent = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
    # WSGI hands headers over as Latin-1 (PEP 3333); compared in constant time, whatever the lengths.
    given = hashlib.sha256(sent.strip().encode("latin-1", "replace")).digest()
    return hmac.compare_digest(given, hashlib.sha256(token.encode()).digest()) and scheme.lower() == "bearer"


def _refuse(status: int, reason: str) -> Refusal:
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Refusal(status, f'{{"error":"{reason}"}}\n', headers)
