"""Where a request says who it is from and which conversation it belongs to: the places, in order, and how each is read.

Fed by the settings USER_ID_FROM and CONVERSATION_ID_FROM; feeds `active.gauges`. A place is `source:name`, or
`source:name|name|…`: the first of these names that holds an id counts.

Nothing that the app did not read is read: a body stays unread, and a session stays unopened. `flask.session` is never
touched, because that sets the session's `accessed` flag, and Flask then adds a `Vary: Cookie` header.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from flask import Request, current_app, g

try:  # Flask keeps its contexts here since 2.2; the names are imported by every extension that needs them
    from flask.globals import request_ctx as _context
except ImportError:  # Flask 4 has one context for both
    from flask.globals import app_ctx as _context  # type: ignore[assignment]

Look = Callable[[Request], object]
"""Looks in the places of one source; None where nothing is."""

_LONGEST_ID: Final = 256
_LARGEST_JSON: Final = 1024 * 1024
_NOBODY: Final = frozenset({"", "none", "null", "undefined", "anonymous"})
"""Texts that clients send where nobody is known, in lower case."""
_OWN_ID: Final = ("id", "_id", "user_id", "userId", "sub", "uid", "username", "email")
"""What an object that stands for a user, or for a conversation, calls its id."""
_SECRETS: Final = ("password", "passwd", "pwd")
"""A request that brings one of these asks to log in: what it calls itself proves nothing."""
_CLAIMED: Final = frozenset({"json", "form", "query"})
"""The sources in which a client may write whatever it likes."""


def find(request: Request, looks: tuple[Look, ...]) -> str | None:
    """The first id that one of the places holds, as text of at most 256 characters; None where none does."""
    for look in looks:
        found = id_of(look(request))
        if found is not None:
            return found
    return None


def looks(places: tuple[str, ...]) -> tuple[Look, ...]:
    """How to look in these places, in their order."""
    made = []
    for place in places:
        source, _, names = place.partition(":")
        look = _SOURCES[source](tuple(names.split("|")))
        made.append(_unless_logging_in(look) if source in _CLAIMED else look)
    return tuple(made)


def id_of(value: object) -> str | None:
    """A value as an id: a text, a whole number, or the id of an object that stands for a user; None for anything else."""
    kind = type(value)
    if kind is str:
        text: str = value  # type: ignore[assignment]
        return None if text.lower() in _NOBODY else text[:_LONGEST_ID]
    if value is None or kind is bool or kind is float or isinstance(value, (list, tuple, set, bytes)):
        return None
    if kind is int:
        return str(value)[:_LONGEST_ID] if value.bit_length() < _LONGEST_ID else None  # type: ignore[attr-defined]
    if isinstance(value, Mapping):
        return next((found for name in _OWN_ID if (found := _plain_id(value.get(name))) is not None), None)
    return _id_of_object(value)


def _id_of_object(value: object) -> str | None:
    if _is_id(value):
        return str(value)
    try:
        # Attributes are not asked for: those of an object-relational mapper may send a query to the database.
        kept = vars(value)
    except TypeError:
        return None
    return next((found for name in _OWN_ID if (found := _plain_id(kept.get(name))) is not None), None)


def _is_id(value: object) -> bool:
    """Whether a value is an id by its type: a UUID, or MongoDB's ObjectId."""
    return type(value).__name__ in ("UUID", "ObjectId")


def _plain_id(value: object) -> str | None:
    return id_of(value) if isinstance(value, (str, int)) or _is_id(value) else None


def _unless_logging_in(look: Look) -> Look:
    def checked(request: Request) -> object:
        found = look(request)
        return None if found is None or _asks_to_log_in(request) else found

    return checked


def _asks_to_log_in(request: Request) -> bool:
    form = vars(request).get("form")
    if form and any(name in form for name in _SECRETS):
        return True
    body = _parsed_json(request)
    return isinstance(body, dict) and any(name in body for name in _SECRETS)


def _parsed_json(request: Request) -> object:
    """The body as the app has parsed it, or the bytes that it has read; None where it has not looked at the body."""
    parsed = next((value for value in request._cached_json if value is not Ellipsis), None)
    if parsed is None:
        data = vars(request).get("_cached_data", b"")  # the app took the bytes and parsed them itself
        if 0 < len(data) <= _LARGEST_JSON and request.is_json:
            parsed = request.get_json(silent=True)
    return parsed


def _first(found: Mapping[str, Any], names: tuple[str, ...]) -> object:
    for name in names:
        if name in found and id_of(value := found[name]) is not None:
            return value
    return None


def _json(names: tuple[str, ...]) -> Look:
    def look(request: Request) -> object:
        body = _parsed_json(request)
        return _first(body, names) if isinstance(body, dict) else None

    return look


def _form(names: tuple[str, ...]) -> Look:
    return lambda request: _first(request.form, names) if "form" in vars(request) else None


def _query(names: tuple[str, ...]) -> Look:
    def look(request: Request) -> object:
        if not request.query_string:
            return None
        try:
            return _first(request.args, names)
        except UnicodeDecodeError:  # a query that is not UTF-8: werkzeug raises when it is first looked at
            return None

    return look


def _header(names: tuple[str, ...]) -> Look:
    keys = tuple("HTTP_" + name.upper().replace("-", "_") for name in names)
    return lambda request: _first(request.environ, keys)


def _cookie(names: tuple[str, ...]) -> Look:
    return lambda request: _first(request.cookies, names) if "HTTP_COOKIE" in request.environ else None


def _session(names: tuple[str, ...]) -> Look:
    return lambda _request: _from_session(names)


def _from_session(names: tuple[str, ...]) -> object:
    found = getattr(_context, "_session", None)
    if not found:
        return None
    if isinstance(found, dict):
        # Some sessions mark themselves as accessed in their own `get`.
        for name in names:
            if dict.__contains__(found, name) and id_of(value := dict.__getitem__(found, name)) is not None:
                return value
        return None
    return _first(found, names) if isinstance(found, Mapping) else None


def _path(names: tuple[str, ...]) -> Look:
    return lambda request: _first(request.view_args, names) if request.view_args else None


def _g(names: tuple[str, ...]) -> Look:
    return lambda _request: _first(found, names) if (found := vars(g._get_current_object())) else None


def _identity(names: tuple[str, ...]) -> Look:
    """Whom an extension has verified in this request. Each keeps that on `flask.g`, or in the session."""
    wanted = tuple(_IDENTITIES[name] for name in names if name in _IDENTITIES)

    def look(_request: Request) -> object:
        kept = vars(g._get_current_object())
        return next((found for ask in wanted if (found := id_of(ask(kept))) is not None), None) if kept else None

    return look


def _flask_login(kept: dict[str, Any]) -> object:
    user = kept.get("_login_user")
    if user is None or getattr(type(user), "is_anonymous", False) is True or vars(user).get("is_authenticated") is False:
        return None
    # flask_login/utils.py, login_user. Where no session holds the user (a request loader), its own attributes do.
    return _from_session(("_user_id",)) or user


def _flask_jwt_extended(kept: dict[str, Any]) -> object:
    claims = kept.get("_jwt_extended_jwt")  # flask_jwt_extended/view_decorators.py keeps the verified token here
    if not isinstance(claims, dict):
        return None
    return claims.get(current_app.config.get("JWT_IDENTITY_CLAIM", "sub"))


def _authlib(kept: dict[str, Any]) -> object:
    token = kept.get("authlib_server_oauth2_token")
    if isinstance(token, Mapping):
        return token.get("sub") or token.get("user_id")
    return getattr(token, "user_id", None)


_IDENTITIES: Final[dict[str, Callable[[dict[str, Any]], object]]] = {
    "flask_login": _flask_login,
    "flask_jwt_extended": _flask_jwt_extended,
    "flask_httpauth": lambda kept: kept.get("flask_httpauth_user"),
    "flask_principal": lambda kept: kept.get("identity"),
    "authlib": _authlib,
}
"""How the extensions that check who somebody is keep the answer on `flask.g`."""

_SOURCES: Final[dict[str, Callable[[tuple[str, ...]], Look]]] = {
    "identity": _identity,
    "g": _g,
    "session": _session,
    "header": _header,
    "json": _json,
    "form": _form,
    "query": _query,
    "cookie": _cookie,
    "path": _path,
}
