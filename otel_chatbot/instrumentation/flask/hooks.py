"""Flask: every request counted, measured and traced to its last byte, in every app of the process, made before or after.

Fed by Flask's signals and by its WSGI entrance, outside of every middleware; feeds `flask.request`, `flask.routes` and
`active.gauges`.

The signals `request_started`, `request_finished` and `got_request_exception` leave no frame in the app's tracebacks. Spans
are made here rather than by opentelemetry-instrumentation-flask: its hooks read `request.url`, which raises for a host that the
app does not trust, and they end a span before a streamed body. Where somebody else has installed that instrumentation, its span
is taken over and none is made.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, Final

from flask import Flask, Request, got_request_exception, request, request_finished, request_started
from flask.sansio.app import App
from opentelemetry.trace import TracerProvider
from opentelemetry.util.http import ExcludeList, get_excluded_urls
from werkzeug.wrappers import Response
from werkzeug.wsgi import ClosingIterator, get_current_url

from ..._guard import never_raise
from ...logs.access import replace_request_lines
from ...metrics import deduplication, record
from ...semconv.spec import Source
from ..active.gauges import ACTIVE
from ..common.patching import Patches
from . import routes, streaming
from .probes import PATHS
from .request import ServedRequest, finish_abandoned
from .server_span import KEY, Environ, ServerSpans
from .shown_path import unmatched_path
from .upgrade import Upgrade

StartResponse = Callable[..., Any]
Entrance = Callable[[Any, Environ, StartResponse], Iterable[bytes]]

# What opentelemetry-instrumentation-flask leaves behind: on an app, and in the environment of its requests.
_UPSTREAM_APP: Final = "_is_instrumented_by_opentelemetry"
_UPSTREAM_SPAN: Final = "opentelemetry-flask.span_key"


class FlaskHooks:
    """Our hooks in Flask; one object serves the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._patches = Patches()
        self._installed = False
        self._spans = ServerSpans()
        self._excluded = ExcludeList(())

    def instrument(self, tracer_provider: TracerProvider | None = None) -> None:
        """Install the hooks; a second call does nothing."""
        with self._lock:
            if self._installed:
                return
            self._installed = True
            self._spans = ServerSpans(tracer_provider)
            self._excluded = get_excluded_urls("FLASK")
            self._patches.wrap(_flask_class(), "__call__", self._make_call)
            self._patches.wrap(_flask_class(), "wsgi_app", self._make_wsgi_app)
            self._patches.wrap(App, "add_url_rule", routes.yielding)
            request_started.connect(self._started, weak=False)
            request_finished.connect(self._finished, weak=False)
            got_request_exception.connect(self._raised, weak=False)
            record.activate_source(Source.FLASK)
            ACTIVE.install()

    def uninstrument(self) -> None:
        """Remove the hooks; routes that were mounted stay."""
        with self._lock:
            if not self._installed:
                return
            self._installed = False
            self._patches.restore()
            request_started.disconnect(self._started)
            request_finished.disconnect(self._finished)
            got_request_exception.disconnect(self._raised)

    def _make_call(self, call: Entrance) -> Entrance:
        def __call__(app: Flask, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:  # noqa: N807
            __traceback_hide__ = True  # werkzeug's debugger shows the app's frames, not ours
            if KEY in environ or not self._installed:
                return call(app, environ, start_response)
            return self._enter(app, environ, start_response, call)

        return __call__

    def _make_wsgi_app(self, wsgi_app: Entrance) -> Entrance:
        def answer(app: Flask, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
            __traceback_hide__ = True
            response = self._probe(app, environ)
            if response is not None:
                return response(environ, start_response)
            return wsgi_app(app, environ, start_response)

        def entered(app: Flask, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
            __traceback_hide__ = True
            if not self._installed:
                return wsgi_app(app, environ, start_response)
            if KEY in environ:
                return answer(app, environ, start_response)
            return self._enter(app, environ, start_response, answer)  # mounted as `app.wsgi_app`

        return entered

    def _enter(self, app: Flask, environ: Environ, start_response: StartResponse, inner: Entrance) -> Iterable[bytes]:
        """Run one request from the outside."""
        __traceback_hide__ = True
        served = self._arrived(environ, start_response)
        environ[KEY] = served
        if served is None:
            return inner(app, environ, start_response)
        token = deduplication.enter(served.scope)
        try:
            body = inner(app, environ, served.start_response)
        except BaseException as error:
            served.answer.leave_app(error)
            _end(served)
            raise
        else:
            followed = _answered(served, body, environ)
            return body if followed is None else followed
        finally:
            served.tracing.leave()
            deduplication.leave(token)

    @never_raise
    def _arrived(self, environ: Environ, start_response: StartResponse) -> ServedRequest | None:
        """A request that counts; None for one that OTEL_PYTHON_FLASK_EXCLUDED_URLS excludes."""
        finish_abandoned()
        if self._excluded._excluded_urls and self._excluded.url_disabled(get_current_url(environ)):
            return None
        return ServedRequest(environ, start_response, self._spans, probe=environ.get("PATH_INFO") in PATHS)

    @never_raise
    def _probe(self, app: Flask, environ: Environ) -> Response | None:
        """The answer to a health probe at a route that we mounted; None for any other request."""
        found = routes.mounted(app).always.get(environ.get("PATH_INFO", ""))
        if found is None or environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
            return None
        endpoint, view = found
        served: ServedRequest | None = environ.get(KEY)
        if served is not None:
            served.become_probe()  # the app may be mounted under another one, which saw another path
            served.answer.streamed, served.reached = False, True
            served.begin(environ, environ["PATH_INFO"], endpoint, adopts=False)
        return view(environ)

    @never_raise
    def _started(self, app: Flask, **_: object) -> None:
        asked = _current_request()
        environ = asked.environ
        served: ServedRequest | None = environ.get(KEY)
        if served is None or served.begun:
            return
        rule, adopts = asked.url_rule, getattr(app, _UPSTREAM_APP, False) is True
        if rule is None:
            served.shown = unmatched_path(app, asked)
            served.begin(environ, None, None, adopts=adopts)
            return
        if not served.probe and (environ.get("PATH_INFO") in PATHS or routes.is_ours(app, rule.endpoint)):
            served.become_probe()
        if rule.websocket and served.answer.upgrade is Upgrade.ASKED:
            served.answer.upgrade = Upgrade.MATCHED
        served.begin(environ, rule.rule, rule.endpoint, adopts=adopts)

    @never_raise
    def _finished(self, _app: Flask, response: Response, **_: object) -> None:
        asked = _current_request()
        environ = asked.environ
        served: ServedRequest | None = environ.get(KEY)
        if served is None:
            return
        served.answer.streamed = response.is_streamed and not _is_error_page(response)
        served.answer.closes = bool(response._on_close)
        if served.tracing.adopts and (span := environ.get(_UPSTREAM_SPAN)) is not None:
            served.adopt(span)
        if not served.probe:
            served.ids = ACTIVE.find(asked)

    @never_raise
    def _raised(self, app: Flask, exception: BaseException, **_: object) -> None:
        served: ServedRequest | None = _current_request().environ.get(KEY)
        if served is not None:
            served.answer.note_exception(exception)
            self._started(app)  # a session that cannot be opened raises before the request has started


def _current_request() -> Request:
    """The request itself: every use of the proxy `flask.request` costs a look-up."""
    return request._get_current_object()  # type: ignore[attr-defined, no-any-return]


@never_raise
def _answered(served: ServedRequest, body: Iterable[bytes], environ: Environ) -> Iterable[bytes] | None:
    """What the server gets: the app's own body when it is complete, else one that is followed to its end."""
    if _complete(served, body):
        if served.answer.has_body():
            served.answer.sent = sum(map(len, body)) if isinstance(body, (list, tuple)) else served.answer.expected or 0
        _end(served)
        if not served.answer.closes:
            return body
    return streaming.follow(body, served, environ)


def _complete(served: ServedRequest, body: Iterable[bytes]) -> bool:
    if isinstance(body, (list, tuple)):
        return True
    if served.answer.status is None:  # a middleware that is a generator: nothing has run yet
        return False
    if served.answer.streamed is None and served.answer.raised is not None and served.answer.expected is not None:
        return True  # Flask's page for a failure so early that it has not told of its answer
    return served.answer.streamed is False or not served.answer.has_body()


@never_raise
def _end(served: ServedRequest) -> None:
    served.finish()


def _is_error_page(response: Response) -> bool:
    """Whether a body is that of an `HTTPException`, which Flask runs as a WSGI application: complete, but without a length."""
    return type(response.response) is ClosingIterator and response.content_length is not None


def _flask_class() -> type[Flask]:
    """Flask's own class, also where upstream's instrumentation has put a subclass of it into its place."""
    return next(kind for kind in reversed(Flask.__mro__) if "wsgi_app" in vars(kind))


HOOKS: Final = FlaskHooks()
"""The process's hooks."""


def instrument(tracer_provider: TracerProvider | None = None) -> None:
    """Install the process's hooks in Flask; a second call does nothing."""
    HOOKS.instrument(tracer_provider)
    replace_request_lines()


def uninstrument() -> None:
    """Remove the process's hooks from Flask."""
    HOOKS.uninstrument()
    replace_request_lines(False)
