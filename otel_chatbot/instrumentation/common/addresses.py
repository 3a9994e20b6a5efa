"""Addresses as OpenTelemetry's conventions have them: the host in `server.address`, the port beside it in `server.port`.

Fed by code that has a server's address as one text (`host:port`, `[::1]:port`, a socket's path); feeds the attributes of spans.
"""

from __future__ import annotations

import functools

_LARGEST_PORT = 65535


@functools.lru_cache(maxsize=256)
def host_and_port(text: str) -> tuple[str, int | None]:
    """The host without brackets, and the port if the text has a valid one; a socket's path has no port.

    A text that is no address comes back as it is: a client may send any Host header.
    """
    if text.startswith("/"):
        return text, None
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            return text, None
        port = rest[1:]
    else:
        host, colon, port = text.rpartition(":")
        if not colon or ":" in host:  # no port, or an IPv6 address without brackets
            return text, None
    if port and not (port.isascii() and port.isdecimal() and len(port) <= 5):
        return text, None
    number = int(port or 0)
    return host or text, number if 0 < number <= _LARGEST_PORT else None
