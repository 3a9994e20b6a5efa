"""Messages of failed checks: short, one line, without credentials and without a stack.

Fed by exceptions and by what checks return; feeds the payloads. The patterns are those of `logs.redaction`; what is
added here are the secrets that this process knows word by word, from its settings.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from .. import config
from ..logs.errors import safe_exception_message
from ..logs.redaction import Redactor

_LONGEST = 200
_LONGEST_READ = 10_000


def safe_message(error: BaseException) -> str:
    """The class and the text of an exception in one line, redacted and cut; never its stack."""
    text = safe_exception_message(error)
    # pymongo appends its whole view of the cluster and its time-outs to every message.
    for tail in (", Timeout: ", " (configured timeouts:", ", full error: "):
        text = text.partition(tail)[0]
    name = type(error).__name__
    if text.startswith(name):  # what a database would tell is reduced to class and code
        return redacted(text)
    return redacted(f"{name}: {text}" if text else name)


def redacted(text: str) -> str:
    """One line of at most 200 characters in which secrets are masked."""
    line = _redactor().text(_without_known(" ".join(text[:_LONGEST_READ].split())))
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def redacted_details(details: Mapping[str, Any]) -> dict[str, Any]:
    """A check's further fields as strict JSON can hold them, redacted deep."""
    return _redactor().mapping(details)


@functools.lru_cache(maxsize=1)
def _redactor() -> Redactor:
    return Redactor.from_settings(config.current())


def _without_known(text: str) -> str:
    for secret in known_secrets():
        text = text.replace(secret, config.MASK)
    return text


def known_secrets() -> list[str]:
    """The secret settings and the passwords in their addresses, longest first; too short ones would mask prose."""
    settings = config.current()
    found: set[str] = set()
    for field in config.fields():
        value = getattr(settings, field.name)
        if not field.metadata["secret"] or not value:
            continue
        found.add(value)
        with contextlib.suppress(ValueError):  # not an address
            password = urlsplit(value).password or ""
            found.update((password, unquote(password)))
    return sorted((secret for secret in found if len(secret) >= 4), key=len, reverse=True)
