"""The path of a request as telemetry shows it: without the values of its variables, which are ids of people and things.

Fed by `instrumentation.flask.hooks`; feeds the request's span and its access record. A path that no rule knows is shown as it is,
less what the redaction finds: it tells of broken links and of scanners.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import RequestRedirect

if TYPE_CHECKING:
    from flask import Flask, Request

_FILE: Final = "<path:filename>"
"""The variable of Flask's rules for static files: files of the app's own, whose names are worth knowing."""


def shown_path(path: str, route: str | None) -> str:
    """The path itself where it has no variables, else the route in its place."""
    return path if route is None or "<" not in route or route.endswith(_FILE) else route


def unmatched_path(app: Flask, request: Request) -> str:
    """The shown path of a request that met no rule: by the rule that another method or a redirect leads to, if any does."""
    path: str = request.environ.get("PATH_INFO", "")
    refused = request.routing_exception
    if not isinstance(refused, (MethodNotAllowed, RequestRedirect)):
        return path
    adapter = app.create_url_adapter(request)
    if adapter is None:
        return path
    try:
        if isinstance(refused, RequestRedirect):
            target = urlsplit(refused.new_url).path.removeprefix(request.script_root)
            rule: Any = adapter.match(target, return_rule=True)[0]
        else:
            method = next(iter(refused.valid_methods or ()), "GET")
            rule = adapter.match(method=method, return_rule=True)[0]
    except HTTPException:
        return path
    return shown_path(path, rule.rule)
