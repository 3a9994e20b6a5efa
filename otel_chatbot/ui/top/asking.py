"""Asks the terminal's questions: of a running viewer, or of the viewer's own modules in this process.

Feeds `cli.top`. Both answer the questions of the viewer's pages (`ui.api`), so each figure has one definition.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import ProxyHandler, Request, build_opener

import orjson

from ..api import Api
from ..figures import Recorder
from ..sources import Sources
from ..store import Store
from .state import Json, Seen, State

_PATIENCE_SECONDS: Final = 5.0
_MOST_BYTES: Final = 64 * 1024 * 1024
_OWN_BYTES: Final = 256 * 1024 * 1024
_OWN_SECONDS: Final = 86_400.0

Ask = Callable[[str, Mapping[str, Any]], Json | None]
"""Answers a question, such as `traces/…`; None if there is nothing under that path."""


class UnansweredError(Exception):
    """A question was not answered; the message says why."""


class Remote:
    """A viewer at an address."""

    def __init__(self, url: str, token: str = "") -> None:
        self.url = url.rstrip("/")
        self._token = token
        self._open = build_opener(ProxyHandler({})).open  # no proxy: the viewer is on this machine, or was named on purpose

    def __call__(self, path: str, asked: Mapping[str, Any]) -> Json | None:
        """Ask the viewer."""
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        request = Request(f"{self.url}/api/{path}?{urlencode(asked)}", headers=headers)  # noqa: S310 - http alone, see is_address
        try:
            with self._open(request, timeout=_PATIENCE_SECONDS) as answer:
                found: Json = orjson.loads(answer.read(_MOST_BYTES))
                return found
        except HTTPError as error:
            with error:
                if error.code == 404:
                    return None
                raise UnansweredError(f"the viewer at {self.url} answers {error.code}: {_reason(error)}") from error
        except (URLError, OSError, ValueError) as error:
            raise UnansweredError(f"the viewer at {self.url} does not answer ({getattr(error, 'reason', error)})") from error


def _reason(error: HTTPError) -> str:
    try:
        return str(orjson.loads(error.read(10_000))["error"])
    except (ValueError, KeyError, TypeError):
        return str(error.reason)


def is_address(text: str) -> bool:
    """Whether a text can be the address of a viewer."""
    parts = urlsplit(text)
    return parts.scheme in ("http", "https") and bool(parts.netloc)


class Local:
    """The viewer's modules in this process, with a temporary file; `close` removes it."""

    def __init__(self, folder: str, say: Callable[[str], None]) -> None:
        self._place = tempfile.mkdtemp(prefix="otel-chatbot-top-")
        self._store = Store(f"{self._place}/top.sqlite", _OWN_BYTES, _OWN_SECONDS, say)
        self._sources = Sources(self._store, Recorder(), folder, 0, say)
        self._api = Api(self._store, self._sources.about, dict)
        self._sources.start()

    def __call__(self, path: str, asked: Mapping[str, Any]) -> Json | None:
        """Ask the viewer's API in this process."""
        return self._api.answer(f"/api/{path}", {name: str(value) for name, value in asked.items()})

    def close(self) -> None:
        """End, and remove the file."""
        self._sources.close()
        self._store.close()
        shutil.rmtree(self._place, ignore_errors=True)


def seen(ask: Ask, state: State, before: Seen) -> Seen:
    """The data for the screen; if there is no answer, the data from before and the reason."""
    try:
        trace = ask(f"traces/{quote(state.trace, safe='')}", {}) if state.trace else None
        if state.trace:
            return Seen(before.figures, before.turns, before.errors, trace)
        now, turns, errors = ask("now", {"window": state.seconds}), ask("turns", {}), ask("errors", {})
    except UnansweredError as error:
        return Seen(before.figures, before.turns, before.errors, before.trace, str(error))
    return Seen((now or {}).get("figures", []), (turns or {}).get("turns", []), (errors or {}).get("problems", []))
