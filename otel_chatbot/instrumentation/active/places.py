"""Where a request says who it is from and which conversation it belongs to: the places, in order, and how each is read.

Fed by the settings USER_ID_FROM and CONVERSATION_ID_FROM; feeds `active.gauges`. A place is `source:name`, or
`source:name|name|…`: the first of these names that holds an id counts.

Only parts of the request that the app itself has read are read: we read no body and open no session. `flask.session` is
never touched, because that sets the session's `accessed` flag, and Flask then adds a `Vary: Cookie` header.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from flask import Request, current_app, g

try:  # Flask keeps its contexts here since 2.2; the names are imported by every extension that needs them
    from flask.globals import request_ctx as _context
except ImportError:  # Flask 4 has one context for both
    from flask.globals import app_ctx as _context  # type: ignore[assignment]

Place = tuple[str, tuple[str, ...]]
"""A source, and the names under which it may hold an id."""

_LONGEST_ID: Final = 256
_LARGEST_JSON: Final = 1024 * 1024
_NOBODY: Final = frozenset({"", "none", "null", "undefined", "anonymous"})
"""Texts that clients send when they have no id, in lower case."""
_OWN_ID: Final = ("id", "_id", "user_id", "userId", "sub", "uid", "username", "email")
"""Names under which an object that stands for a user or a conversation holds its id."""
_SECRETS: Final = ("password", "passwd", "pwd")
"""A request with one of these fields is a login: the id that it names is not proved yet."""
_WRITTEN_BY_CLIENTS: Final = ("form", "json")
"""The sources in which clients send a password."""

_MODEL: Final = "model"
_MODEL_SOURCES: Final = ("json", "form", "query")
"""Where a request says which model is to answer it."""


def places(setting: tuple[str, ...]) -> tuple[Place, ...]:
    """The places that a setting names, in its order."""
    parts = ((source, tuple(names.split("|"))) for source, _, names in (item.partition(":") for item in setting))
    return tuple((source, tuple(map(_environ_name, names)) if source == "header" else names) for source, names in parts)


def _environ_name(header: str) -> str:
    return "HTTP_" + header.upper().replace("-", "_")


class Sources:
    """The content of a request by source, as far as the app itself has read it."""

    __slots__ = ("_found",)

    def __init__(self, request: Request) -> None:
        # Runs in every request, so without a function per source.
        environ = request.environ
        self._found: dict[str, Mapping[str, Any]] = {"header": environ}
        found = self._found
        if kept := vars(g._get_current_object()):
            found["g"] = found["identity"] = kept
        session = _opened_session()
        if isinstance(session, dict):
            found["session"] = dict.copy(session)  # some sessions mark themselves as accessed when they are looked into
        elif isinstance(session, Mapping):
            found["session"] = session
        if request.view_args:
            found["path"] = request.view_args
        body = _parsed_json(request)
        if isinstance(body, dict):
            found["json"] = body
        if "form" in vars(request):
            found["form"] = request.form
        if environ.get("QUERY_STRING"):
            found["query"] = _query(request)
        if "HTTP_COOKIE" in environ:
            found["cookie"] = request.cookies
        if "json" in found or "form" in found:
            self._leave_out_claims()

    def _leave_out_claims(self) -> None:
        found = self._found
        for source in _WRITTEN_BY_CLIENTS:
            if source in found and not found[source].keys().isdisjoint(_SECRETS):
                for claimed in ("json", "form", "query", "cookie"):
                    found.pop(claimed, None)
                return

    def model(self) -> str | None:
        """The model that the request names, if it does."""
        found = self._found
        for source in _MODEL_SOURCES:
            if source in found and _MODEL in found[source]:
                return id_of(found[source][_MODEL])
        return None

    def first(self, places: tuple[Place, ...]) -> str | None:
        """The first id that one of the places holds, as text of at most 256 characters; None where none does."""
        found = self._found
        for source, names in places:
            if source not in found:
                continue
            held = found[source]
            if type(held) is dict and source != "identity" and held.keys().isdisjoint(names):
                continue  # most places hold none, and this takes a fifth of the loop
            for name in names:
                if source == "identity":
                    value = _IDENTITIES[name](held) if name in _IDENTITIES else None
                else:
                    value = held[name] if name in held else None  # noqa: SIM401 - a call less for each name
                if value is not None and (text := id_of(value)) is not None:
                    return text
        return None


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
        # `getattr` is not used: attributes of an object-relational mapper may send a query to the database.
        kept = vars(value)
    except TypeError:
        return None
    return next((found for name in _OWN_ID if (found := _plain_id(kept.get(name))) is not None), None)


def _is_id(value: object) -> bool:
    """Whether a value is an id by its type: a UUID, or MongoDB's ObjectId."""
    return type(value).__name__ in ("UUID", "ObjectId")


def _plain_id(value: object) -> str | None:
    return id_of(value) if isinstance(value, (str, int)) or _is_id(value) else None


def _opened_session() -> object:
    """The session in the request's context, if reading it changes nothing and asks no server; else None."""
    # `flask.session` and the property `session` mark it as accessed, from Flask 3.1.3 on; before, that is a plain attribute.
    # https://flask.palletsprojects.com/en/stable/changes/#version-3-1-3
    kept = vars(_context._get_current_object())  # type: ignore[attr-defined]
    session = kept.get("_session", kept.get("session"))
    if isinstance(session, dict):
        return session if dict.__len__(session) else None  # most are empty, and each place would be looked up in it
    if getattr(session, "accessed", True):
        return session
    return None  # it is no dictionary: the first read may load it from its store, and the app has not read it


def _parsed_json(request: Request) -> object:
    """The body as the app has parsed it, or from the bytes that it has read; None if the app has not read the body."""
    asked, silent = request._cached_json
    parsed = silent if asked is Ellipsis else asked
    if parsed is None or parsed is Ellipsis:
        parsed = None
        data = vars(request).get("_cached_data", b"")  # the app took the bytes and parsed them itself
        if 0 < len(data) <= _LARGEST_JSON and request.is_json:
            parsed = request.get_json(silent=True)
    return parsed


def _query(request: Request) -> Mapping[str, Any]:
    try:
        return request.args
    except UnicodeDecodeError:  # a query that is not UTF-8: werkzeug raises when it is first looked at
        return {}


def _flask_login(kept: Mapping[str, Any]) -> object:
    user = kept.get("_login_user")
    if user is None or getattr(type(user), "is_anonymous", False) is True or vars(user).get("is_authenticated") is False:
        return None
    # flask_login/utils.py, login_user. Where no session holds the user (a request loader), its own attributes do.
    session = _opened_session()
    return dict.get(session, "_user_id", user) if isinstance(session, dict) else user


def _flask_jwt_extended(kept: Mapping[str, Any]) -> object:
    claims = kept.get("_jwt_extended_jwt")  # flask_jwt_extended/view_decorators.py keeps the verified token here
    if not isinstance(claims, dict):
        return None
    return claims.get(current_app.config.get("JWT_IDENTITY_CLAIM", "sub"))


def _authlib(kept: Mapping[str, Any]) -> object:
    token = kept.get("authlib_server_oauth2_token")
    if isinstance(token, Mapping):
        return token.get("sub") or token.get("user_id")
    return getattr(token, "user_id", None)


_IDENTITIES: Final[dict[str, Callable[[Mapping[str, Any]], object]]] = {
    "flask_login": _flask_login,
    "flask_jwt_extended": _flask_jwt_extended,
    "flask_httpauth": lambda kept: kept.get("flask_httpauth_user"),
    "flask_principal": lambda kept: kept.get("identity"),
    "authlib": _authlib,
}
"""How extensions that authenticate users keep the user on `flask.g`."""
