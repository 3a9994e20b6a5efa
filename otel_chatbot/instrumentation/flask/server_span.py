"""The span of a request: its name, attributes, parent and end, as OpenTelemetry's own Flask instrumentation makes them.

Fed by the WSGI environment; feeds the tracer. A span is begun here and ended by `flask.request`, after the last byte.
Attributes are those of opentelemetry-instrumentation-wsgi in the stable vocabulary, in one pass, without the query
string's values, which may hold anything, and with the port of the Host header in `server.port`, not in the address.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.instrumentation.flask.version import __version__ as flask_instrumentation_version
from opentelemetry.instrumentation.propagators import get_global_response_propagator
from opentelemetry.instrumentation.wsgi import (
    collect_custom_request_headers_attributes,
    collect_custom_response_headers_attributes,
    default_response_propagation_setter,
    wsgi_getter,
)
from opentelemetry.propagate import extract, get_global_textmap
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.trace import NonRecordingSpan, Span, SpanKind, Status, StatusCode, TraceFlags, TracerProvider
from opentelemetry.util.http import (
    OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST,
    OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_RESPONSE,
    detect_synthetic_user_agent,
    get_custom_headers,
)

from ... import _wiring, config
from ...logs.errors import safe_exception_message, safe_stack
from ...semconv import attributes as a
from ..common.addresses import host_and_port
from ..common.span_maker import SpanMaker, maker_of
from .probes import PROBE

Environ = dict[str, Any]

KEY: Final = "otel_chatbot.request"
"""Where the WSGI environment holds a request's `request.ServedRequest`; None there means that the request is excluded."""

_SCOPE = "opentelemetry.instrumentation.flask"
_SCHEMA = "https://opentelemetry.io/schemas/1.21.0"
# Read by the instrumentations of SQL clients, which may put it into comments of their statements.
_SQL_TAGS = "SQLCOMMENTER_ORM_TAGS_AND_VALUES"
_FRAMEWORK = f"flask:{version('flask')}"

_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"})
OTHER = "_OTHER"
"""The method of every request whose method is not a known one (HTTP conventions, http.request.method)."""

_W3C: Final = frozenset({"traceparent", "tracestate", "baggage"})
"""Headers of the W3C's propagators; others look for headers of any name, as Jaeger's does for baggage."""
_PLAIN: Final = (
    (a.URL_SCHEME, "wsgi.url_scheme"),
    (a.URL_PATH, "PATH_INFO"),
    (a.CLIENT_ADDRESS, "REMOTE_ADDR"),
    (a.USER_AGENT, "HTTP_USER_AGENT"),
)
_PORTS: Final = ((a.SERVER_PORT, "SERVER_PORT"), (a.CLIENT_PORT, "REMOTE_PORT"))

_synthetic_type = functools.lru_cache(maxsize=256)(detect_synthetic_user_agent)


def known_method(environ: Environ) -> str:
    """The request's method, `_OTHER` for one that HTTP does not know."""
    method = str(environ.get("REQUEST_METHOD", ""))
    if method in _METHODS:
        return method
    method = method.strip().upper()
    return method if method in _METHODS else OTHER


def protocol_version(environ: Environ) -> str | None:
    """The HTTP version, if it is one that exists: the request line may claim any."""
    found = str(environ.get("SERVER_PROTOCOL", "")).rpartition("/")[2]
    return found if found in {"1.1", "1.0", "2", "3", "2.0", "0.9"} else None


def scheme(environ: Environ) -> str | None:
    """`http` or `https`; None for anything else, which a forwarding header may bring."""
    found = environ.get("wsgi.url_scheme")
    return found if found in {"http", "https"} else None


class ServerSpans:
    """Begins the spans of requests with one tracer."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        tracer = trace.get_tracer(_SCOPE, flask_instrumentation_version, provider, schema_url=_SCHEMA)
        self._maker: SpanMaker = maker_of(tracer, exceptions=True)
        self._propagator: TextMapPropagator | None = None
        self._carriers: tuple[str, ...] | None = None
        """The headers of the caller's context in WSGI's words; None where the propagator may look for any."""
        self._request_headers = bool(get_custom_headers(OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST))
        self._response_headers = bool(get_custom_headers(OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_RESPONSE))

    def start(
        self, environ: Environ, method: str, route: str | None, endpoint: str | None, start_ns: int, *, shown: str, probe: bool
    ) -> tuple[Span, Context]:
        """A span that began at `start_ns` (unix nanoseconds), and the context in which it is the current one.

        `shown` is the path without the values of its variables.

        Like upstream: a server span under the caller's, or an internal one where a span is already running.
        """
        running_span = trace.get_current_span()
        if running_span is not trace.INVALID_SPAN:
            _wiring.LEAVE_ENDED_CALLS()
            running_span = trace.get_current_span()
        if running_span is trace.INVALID_SPAN:
            parent, kind = self._caller(environ), SpanKind.SERVER
        else:
            parent, kind = otel_context.get_current(), SpanKind.INTERNAL
        if probe:
            parent = otel_context.set_value(PROBE, True, parent)
        decided = self._maker.decide(parent)
        if decided is not None and not decided[0].trace_flags & TraceFlags.SAMPLED:
            span: Span = NonRecordingSpan(decided[0])
        else:
            attributes = request_attributes(environ, method, route)
            if shown:
                attributes[a.URL_PATH] = shown
            span = self._maker.start(span_name(method, route, shown), parent, kind, attributes, start_ns, decided)
        if self._request_headers and kind is SpanKind.SERVER and span.is_recording():
            span.set_attributes(collect_custom_request_headers_attributes(environ))
        tags = {"framework": _FRAMEWORK}
        if endpoint:
            tags["controller"] = endpoint
        if route:
            tags["route"] = route
        running = otel_context.set_value(_SQL_TAGS, tags, parent)
        return span, trace.set_span_in_context(span, running)

    def _caller(self, environ: Environ) -> Context:
        """The context that the caller has sent along; without asking the propagators where none of their headers is there."""
        propagator = get_global_textmap()
        if propagator is not self._propagator:
            self._carriers = None if propagator.fields - _W3C else tuple("HTTP_" + name.upper() for name in _W3C)
            self._propagator = propagator
        if self._carriers is not None:
            for name in self._carriers:
                if name in environ:
                    break
            else:
                return Context()
        return extract(environ, getter=wsgi_getter)

    def answer(self, span: Span, headers: list[tuple[str, str]]) -> None:
        """Add what the answer's headers carry: the trace for the client, and the headers that are to be captured."""
        propagator = get_global_response_propagator()  # type: ignore[no-untyped-call]
        if propagator is not None:
            propagator.inject(headers, trace.set_span_in_context(span), setter=default_response_propagation_setter)
        tell_browser(span, headers)
        if self._response_headers and span.is_recording():
            span.set_attributes(collect_custom_response_headers_attributes(headers))


def tell_browser(span: Span, headers: list[tuple[str, str]]) -> None:
    """Add the trace to an answer's headers where SERVER_TIMING is on: browsers show it to a page's own scripts."""
    if config.current().server_timing and (context := span.get_span_context()).is_valid:
        headers.append(
            (
                "Server-Timing",
                f'traceparent;desc="00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"',
            )
        )


def span_name(method: str, route: str | None, shown: str) -> str:
    """`GET /route`, as upstream names it: `GET /path` where no route matched, `HTTP` for an unknown method."""
    if method == OTHER:
        return f"HTTP {route}" if route else "HTTP"
    return f"{method} {route or shown.strip()}".rstrip()


def show_less(span: Span, shown: str) -> None:
    """Take from another instrumentation's span what ours do not have: the values of a path's variables and of the query."""
    if config.current().capture_content or not span.is_recording():
        return
    less = {a.URL_PATH: shown, a.URL_QUERY: config.MASK, a.HTTP_TARGET: shown}
    known = getattr(span, "attributes", None) or {}
    span.set_attributes({name: value for name, value in less.items() if name in known})


def request_attributes(environ: Environ, method: str, route: str | None) -> dict[str, Any]:
    """What is known of a request before it is handled; a sampler may decide on it."""
    found: dict[str, Any] = {a.HTTP_METHOD: method}
    if route is not None:
        found[a.HTTP_ROUTE] = route
    original = environ.get("REQUEST_METHOD", "")
    if original != method:
        found[a.HTTP_METHOD_ORIGINAL] = original
    # Asked with `in`: a call for each name would be a third of what the span of a request costs here.
    for name, key in _PLAIN:
        if key in environ and (value := environ[key]):
            found[name] = value
    _add_places(found, environ)
    if "QUERY_STRING" in environ and (value := environ["QUERY_STRING"]) and config.current().capture_content:
        found[a.URL_QUERY] = value
    if a.USER_AGENT in found and (synthetic := _synthetic_type(found[a.USER_AGENT])):
        found[a.USER_AGENT_SYNTHETIC] = synthetic
    if "SERVER_PROTOCOL" in environ and (protocol := str(environ["SERVER_PROTOCOL"]).removeprefix("HTTP/")):
        found[a.PROTOCOL_VERSION] = protocol
    return found


def _add_places(found: dict[str, Any], environ: Environ) -> None:
    """Add the Host header's host alone, the port that the client has asked, and the client's; upstream has both in one text."""
    for name, key in _PORTS:
        # A Unix socket has no port, and servers then give an empty text or the socket's path.
        if key in environ and (value := str(environ[key])).isdecimal():
            found[name] = int(value)
    if "HTTP_HOST" in environ and (host := environ["HTTP_HOST"]):
        found[a.SERVER_ADDRESS], port = host_and_port(host)
        if port is not None:
            found[a.SERVER_PORT] = port


def end_span(
    span: Span,
    status: int,
    error_type: str | None,
    error: BaseException | None,
    more: Mapping[str, Any],
    end_ns: int | None = None,
) -> None:
    """Say how a request ended, and end its span: at `end_ns` (unix nanoseconds), or now."""
    if span.is_recording():
        span.set_attribute(a.HTTP_STATUS, status)
        if more:
            span.set_attributes(more)
        if error_type is not None:
            span.set_attribute(a.ERROR_TYPE, error_type)
            span.set_status(Status(StatusCode.ERROR, None if error is None else _record(span, error)))
    span.end(end_ns)


def _record(span: Span, error: BaseException) -> str:
    """Add an exception to a span as `record_exception` does, less the data that a database client put into it."""
    message = safe_exception_message(error)
    attributes = {a.EXCEPTION_TYPE: _full_name(type(error)), a.EXCEPTION_MESSAGE: message}
    span.add_event(a.EXCEPTION_EVENT, {**attributes, a.EXCEPTION_STACKTRACE: safe_stack(error)})
    return f"{type(error).__name__}: {message}"


def _full_name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
