"""The six routes: mounted into an app at its first call, told apart from the app's own traffic, and watched for refusals.

With FEEDBACK_HEADER set there is a seventh, which takes ratings from the app's own clients. Fed by `instrumentation.flask.hooks`; feeds the app's URL map, and `doctor` with the routes that prober or scraper cannot reach.

They are mounted at the first call, because the app's own routes and blueprints are there by then: those win, and nothing clashes.
For the three health probes a route alone is not enough. They must answer although a catch-all rule, a login hook, trusted hosts
or host matching stand before the route, so they are answered before Flask looks at the request.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ... import _access, config
from ..._guard import never_raise
from ..._mounting import View, name_of, view_function
from ...health.version import remember_app
from ...health.views import VIEWS as HEALTH_VIEWS
from ...metrics.blueprint import VIEWS as METRICS_VIEWS
from ...quality import views as feedback_views
from ...semconv.logs import PACKAGE_LOGGER
from .probes import ALWAYS, PATHS
from .server_span import KEY

if TYPE_CHECKING:
    from flask import Flask
    from werkzeug.routing import Rule
    from werkzeug.wrappers import Response

_EXTENSION: Final = "otel_chatbot"
_GROUPS: Final[tuple[Mapping[str, View], ...]] = (HEALTH_VIEWS, METRICS_VIEWS)
_OUR_MODULES: Final = frozenset(view.__module__ for group in _GROUPS for view in group.values())

_logger = logging.getLogger(PACKAGE_LOGGER)
_lock = threading.Lock()


def _reaching(view: View) -> View:
    """The view, which says of itself that the request has come through to it."""

    @functools.wraps(view)
    def reached(environ: Mapping[str, Any]) -> Response:
        served = environ.get(KEY)
        if served is not None:
            served.reached = True
        return view(environ)

    return reached


class Mount:
    """What is ours in one app."""

    def __init__(self) -> None:
        self.always: dict[str, tuple[str, View]] = {}
        """The probes that answer before Flask does: path to endpoint and view."""
        self.ours: dict[str, bool] = {}
        """Whether an endpoint of the app is one of our views, as far as asked."""
        self._rules: dict[str, Rule] = {}
        """Our rules in the app's URL map, by path."""

    def add(self, app: Flask, path: str, view: View) -> None:
        """Let the app answer a path with a view of ours, under an endpoint that the app does not have."""
        endpoint = _free_endpoint(app, path)
        rule = app.url_rule_class(path, endpoint=endpoint, methods=["GET"])
        rule.provide_automatic_options = False  # type: ignore[attr-defined]
        app.url_map.add(rule)
        app.view_functions[endpoint] = view_function(path, _reaching(view))
        self._rules[path] = rule
        self.ours[endpoint] = True
        if path in ALWAYS:
            self.always[path] = endpoint, view

    def add_feedback(self, app: Flask) -> None:
        """Let the app take ratings, which are its own traffic: nobody probes this route."""
        endpoint = _free_endpoint(app, feedback_views.PATH)
        self._rules[feedback_views.PATH] = rule = app.url_rule_class(feedback_views.PATH, endpoint=endpoint, methods=["POST"])
        rule.provide_automatic_options = False  # type: ignore[attr-defined]
        app.url_map.add(rule)
        app.view_functions[endpoint] = feedback_views.view_function()

    def give_way(self, app: Flask, path: str) -> None:
        """Where the app has registered this path itself, after us, its own rule answers from now on."""
        rule = self._rules.get(path)
        if rule is None or not _has_own(app, path, besides=rule, method=_method(path)):
            return
        del self._rules[path]
        rule.methods = set()  # such a rule matches nothing; a URL map has no way to take one out
        self.always.pop(path, None)
        self.ours.pop(rule.endpoint, None)
        app.view_functions.pop(rule.endpoint, None)
        _unlist(app, rule)

    def make_room(self, app: Flask, endpoint: str) -> None:
        """The app is about to register an endpoint of its own by a name that we took: ours gets another one."""
        path = next((path for path, rule in self._rules.items() if rule.endpoint == endpoint), None)
        if path is None:
            return
        rule, function = self._rules[path], app.view_functions.pop(endpoint)
        _unlist(app, rule)
        ours = self.ours.pop(endpoint, None)
        rule.endpoint = _free_endpoint(app, path, without=endpoint)
        app.url_map._rules_by_endpoint[rule.endpoint] = [rule]
        app.view_functions[rule.endpoint] = function
        if ours is not None:
            self.ours[rule.endpoint] = ours
        if path in self.always:
            self.always[path] = rule.endpoint, self.always[path][1]


def _free_endpoint(app: Flask, path: str, without: str = "") -> str:
    endpoint = f"{_EXTENSION}_{name_of(path)}"
    used = {rule.endpoint for rule in app.url_map.iter_rules()} | set(app.view_functions) | {without}
    while endpoint in used:
        endpoint += "_"
    return endpoint


def _unlist(app: Flask, rule: Rule) -> None:
    """Take a rule of ours from those that the app lists and builds URLs of."""
    # werkzeug.routing.Map keeps them by endpoint, and has no public way to take one out or to give it another endpoint.
    by_endpoint = app.url_map._rules_by_endpoint
    kept = [other for other in by_endpoint.get(rule.endpoint, []) if other is not rule]
    if kept:
        by_endpoint[rule.endpoint] = kept
    else:
        by_endpoint.pop(rule.endpoint, None)


_NOTHING: Final = Mount()


def mounted(app: Flask) -> Mount:
    """What is ours in an app; mounts it at the first call."""
    found = app.extensions.get(_EXTENSION)
    return found if isinstance(found, Mount) else _mount_once(app)


def _mount_once(app: Flask) -> Mount:
    with _lock:
        found = app.extensions.get(_EXTENSION)
        if not isinstance(found, Mount):
            found = _mount(app) or _NOTHING
            app.extensions[_EXTENSION] = found
        return found


@never_raise
def _mount(app: Flask) -> Mount:
    mount = Mount()
    kept: list[str] = []
    apart = config.current().endpoint_port
    for group in _GROUPS:
        modules = {view.__module__ for view in group.values()}
        by_hand = any(getattr(view, "__module__", None) in modules for view in app.view_functions.values())
        for path, view in group.items():
            if apart and path in _access.SHUT:
                continue
            if by_hand or _has_own(app, path):
                kept.append(path)
                continue
            mount.add(app, path, view)
    if config.current().feedback_header and not _takes_ratings(app):
        mount.add_feedback(app)
    remember_app(app)
    if kept:
        _logger.info("app %s answers %s itself; the package's routes there are not mounted", app.name, ", ".join(kept))
    return mount


def _takes_ratings(app: Flask) -> bool:
    """Whether the app has our view already, at any path, or its own at ours."""
    views = (getattr(view, "__module__", None) for view in app.view_functions.values())
    return feedback_views.__name__ in views or _has_own(app, feedback_views.PATH, method="POST")


def _method(path: str) -> str:
    return "POST" if path == feedback_views.PATH else "GET"


def _has_own(app: Flask, path: str, besides: Rule | None = None, method: str = "GET") -> bool:
    """Whether the app has a rule for exactly this path; one with a converter, as a catch-all has, is not."""
    return any(
        rule.rule.rstrip("/") == path and (rule.methods is None or method in rule.methods) and rule is not besides
        for rule in app.url_map.iter_rules()
    )


def is_ours(app: Flask, endpoint: str) -> bool:
    """Whether an endpoint is one of our views, wherever the app has registered it."""
    known = mounted(app).ours
    found = known.get(endpoint)
    if found is None:
        module = getattr(app.view_functions.get(endpoint), "__module__", None)
        found = known[endpoint] = module in _OUR_MODULES
    return found


Register = Callable[..., None]


def yielding(register: Register) -> Register:
    """`Flask.add_url_rule` for an app that has ours already: what the app registers is the app's."""

    def add_url_rule(
        app: Flask, rule: str, endpoint: str | None = None, view_func: Any = None, *args: Any, **options: Any
    ) -> None:
        mount = app.extensions.get(_EXTENSION)
        if isinstance(mount, Mount):
            never_raise(mount.make_room)(app, str(endpoint or getattr(view_func, "__name__", "")))
        register(app, rule, endpoint, view_func, *args, **options)
        if isinstance(mount, Mount):
            never_raise(mount.give_way)(app, rule.rstrip("/"))

    return add_url_rule


class Refusal(NamedTuple):
    """A route of ours that somebody could not reach, and what to do about it."""

    path: str
    status: int
    remedy: str


_refusals: dict[str, Refusal] = {}
_told: set[tuple[str, int]] = set()


def refusals() -> list[Refusal]:
    """The routes whose latest answer in this process was a refusal: a redirect, an error that is not our view's."""
    return list(_refusals.values())


def watch(path: str, status: int, *, reached: bool) -> None:
    """Keep in mind how one of the six paths was answered; one log line per path and status when the app refuses it.

    `reached`: our view itself was asked. Where it refuses, it writes a log line of its own. It cannot know what hooks make of its
    answer afterwards, as a rate limiter does.
    """
    if path not in PATHS:
        return
    if status < 300 or (status == 503 and path not in _SCRAPES):
        _refusals.pop(path, None)
        return
    _refusals[path] = Refusal(path, status, remedy(status))
    if not (reached and status in _OURS) and (path, status) not in _told:
        _told.add((path, status))  # once: a limiter lets every other scrape through
        _logger.warning("%s answers %d: %s", path, status, remedy(status))


_SCRAPES: Final = frozenset({"/metrics", "/metrics/json"})
_OURS: Final = frozenset({401, 403})
"""Statuses with which our views refuse."""
_EXEMPT = "exempt this path in the app's before_request"
_LOGIN = (
    f"the app's own hooks send it elsewhere, probably to a login; {_EXEMPT}, "
    "or protect it with CHATBOT_OTEL_ENDPOINT_TOKEN instead"
)
_REMEDIES: Final = {
    400: "the app does not trust the host name that was asked for; add it to the app's TRUSTED_HOSTS",
    401: f"it needs credentials; send the token of CHATBOT_OTEL_ENDPOINT_TOKEN, or {_EXEMPT}",
    403: f"the client is not allowed; set CHATBOT_OTEL_ENDPOINT_TOKEN and send it, or {_EXEMPT}",
    404: "no route matches it; with host or subdomain matching ask the app's own host name, "
    "or register create_metrics_blueprint() and create_health_blueprint() there",
    405: f"the app takes no GET there; let its own route of this path take it, or {_EXEMPT}",
    429: "a rate limiter of the app counts it, and figures are missing while it refuses; exempt the route from the limiter, as in "
    'limiter.request_filter(lambda: request.path.startswith(("/metrics", "/health"))) of Flask-Limiter, or ask more rarely',
    500: f"the app's own code fails for it, and its log says where; {_EXEMPT}",
    503: f"the app's own hooks answer that it is not available, as for maintenance; {_EXEMPT}",
}


def remedy(status: int) -> str:
    """What to do about a route of ours that answers with this status."""
    if status >= 400:
        return _REMEDIES.get(status) or f"the app's own hooks refuse it; {_EXEMPT}"
    return _LOGIN
