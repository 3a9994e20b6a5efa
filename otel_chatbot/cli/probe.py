"""`otel-chatbot probe URL`: asks a health route once, without proxies, and says what it answered.

Fed by a running app; feeds container health checks and `doctor.command`.
"""

from __future__ import annotations

import http.client
import sys
from collections.abc import Mapping
from urllib.parse import urlsplit

READY = "/health/ready"


def probe(url: str, timeout: float) -> int:
    """Print the status and the answer of a health route; 0 when it is 200."""
    try:
        status, body = ask(url, timeout)
    except (OSError, http.client.HTTPException, ValueError) as error:
        print(f"{url}: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(f"{status} {body[:2000]}")
    return 0 if status == 200 else 1


def ask(url: str, timeout: float, path: str = "", headers: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Status and text of a GET, redirects not followed. ValueError for what is not an http address; OSError, HTTPException."""
    parts = urlsplit(url if "//" in url else f"http://{url}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected an address like http://127.0.0.1:5000")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=timeout)
    try:
        connection.request("GET", path or (parts.path if parts.path not in ("", "/") else READY), headers=dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.read(1_000_000).decode("utf-8", "replace")
    finally:
        connection.close()
