"""Connections that stop being HTTP: a websocket, which ends without an answer that the server could send.

Fed by `instrumentation.flask.hooks` and `instrumentation.flask.request`; feeds the status of an answer: 101, if the connection
ended well.

No WSGI server has a way to say so. Under gunicorn, the libraries (simple-websocket, python-engineio) raise StopIteration;
under werkzeug, ConnectionError, or they answer 200 into the closed connection; under gevent and eventlet, they return an
empty body and never call `start_response`.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .server_span import Environ

SWITCHED: Final = 101
"""Switching Protocols (RFC 9110, section 15.2.2)."""
_SIGNALS: Final = (StopIteration, ConnectionError)
"""What libraries raise when a connection has ended well, themselves and not a subclass."""


class Upgrade(Enum):
    """What is known of a request's wish to leave HTTP."""

    NONE = 0
    ASKED = 1
    MATCHED = 2
    """It was asked for, and a route for websockets, or the server itself, has taken it."""


def upgrade_of(environ: Environ) -> Upgrade:
    """What a request asks for (RFC 6455, section 4.1)."""
    if "wsgi.websocket" in environ:  # gevent-websocket has switched already
        return Upgrade.MATCHED
    asked = environ.get("HTTP_UPGRADE")
    return Upgrade.ASKED if asked and str(asked).lower() == "websocket" else Upgrade.NONE


def says_the_end(upgrade: Upgrade, status: int | None, error: BaseException) -> bool:
    """Whether an exception that leaves the app is a library's way to end a connection that had been upgraded."""
    return upgrade is not Upgrade.NONE and type(error) in _SIGNALS and (status is None or upgrade is Upgrade.MATCHED)


def switched(upgrade: Upgrade, status: int | None) -> bool:
    """Whether the connection had been upgraded, by the status of the app's answer (None: it gave none)."""
    if upgrade is Upgrade.NONE:
        return False
    return status in (None, SWITCHED) or (upgrade is Upgrade.MATCHED and status < 300)
