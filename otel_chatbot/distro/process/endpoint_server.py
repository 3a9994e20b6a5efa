"""Serves `/metrics*` and `/health/detailed` on a separate port, for an app whose own port is public.

Fed by the setting ENDPOINT_PORT, by OTEL_METRICS_EXPORTER=prometheus and by the same views as the app's routes; feeds
scrapers and people. One process of the app has the port and serves the merged view of all; when it ends, the next one takes
the port. The SDK is not needed here. `socketserver` is not used either: gevent could not replace it later.
"""

from __future__ import annotations

import errno
import functools
import http.client
import io
import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any, Final

from wrapt import when_imported, wrap_function_wrapper

from ... import _access, config
from ..._clock import monotonic
from ..._fork import at_fork
from ..._guard import never_raise, report
from ...metrics.shared import run as shared
from ...metrics.store import STORE
from .fork_safety import IMPORTS, await_imports, forget_lock, late_lock
from .servers import too_early

PROMETHEUS_PORT: Final = "9464"
"""The port of the specification."""
_RETRY_SECONDS: Final = 1.0
_REFUSALS: Final = 3
"""After so many attempts on a port that another program holds, a warning says so."""
_POLL_SECONDS: Final = 0.25
_PATIENCE_SECONDS: Final = 10.0
_MOST_AT_ONCE: Final = 16
_MOST_BODY: Final = 65536
_JSON: Final = {"Content-Type": "application/json", "Cache-Control": "no-store"}

_logger = logging.getLogger("otel_chatbot")


class EndpointServer:
    """The server of this process. Its thread starts at most once per process and waits until the port is free."""

    def __init__(self, host: str, port: int, variable: str = "CHATBOT_OTEL_ENDPOINT_PORT") -> None:
        self._address = (host, port)
        self._variable = variable
        self._closed = False
        self._explained = False
        self._refusals = 0
        self._listener: socket.socket | None = None
        self._reset()
        at_fork(__name__, in_child=self._after_fork)

    def _reset(self) -> None:
        forget_lock(self)
        self._thread: threading.Thread | None = None
        self._stop: threading.Event | None = None

    def _after_fork(self) -> None:
        self._reset()
        if self._listener is not None:  # the parent serves; this inherited copy would keep the port after its end
            self._listener.close()
            self._listener = None

    @never_raise
    def start(self) -> None:
        """Start this process's thread unless it runs, or the process is a server's master."""
        if self._thread is None and not self._closed and not too_early():
            with late_lock(self):
                if self._thread is None:
                    self._stop = threading.Event()
                    run = functools.partial(self._run, self._stop)
                    self._thread = threading.Thread(target=run, name="otel-chatbot-endpoints", daemon=True)
                    self._thread.start()

    def flush(self, deadline: float) -> None:
        """Do nothing: the server goes on."""

    def begin_shutdown(self) -> None:
        """Stop serving; another process may take the port."""
        self._closed = True
        if self._stop is not None:
            self._stop.set()

    def finish_shutdown(self, deadline: float) -> None:
        """Wait for that until `deadline` (of `time.monotonic`)."""
        if self._thread is not None:
            self._thread.join(max(0.0, deadline - monotonic()))

    def abandon(self) -> None:
        """The same as `begin_shutdown`: there is nothing to lose."""
        self.begin_shutdown()

    def _run(self, stop: threading.Event) -> None:
        free = threading.BoundedSemaphore(_MOST_AT_ONCE)
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        await_imports()
        with IMPORTS:
            _views()
        while not stop.is_set():
            try:
                self._listener = socket.create_server(self._address, family=family)
            except OSError as error:
                self._explain(error)
                stop.wait(_RETRY_SECONDS)
                continue
            with self._listener as listener:
                listener.settimeout(_POLL_SECONDS)
                while not stop.is_set():
                    _accept(listener, free)
            self._listener = None

    def _explain(self, error: OSError) -> None:
        """Warn once that the port cannot be had, and why, unless another process of this app has it.

        A process that has just taken the port, or was just killed, does not answer, so a taken port is checked several times.
        """
        if self._explained:
            return
        self._refusals += 1
        taken = error.errno == errno.EADDRINUSE
        ours = taken and _is_ours(self._address)
        self._explained = ours or not taken or self._refusals == _REFUSALS
        if self._explained and not ours:
            _logger.warning(
                "/metrics* and /health/detailed are not served: cannot listen on %s:%d (%s); set %s to a free port",
                *self._address,
                os.strerror(error.errno) if error.errno and error.errno > 0 else error,  # its own text names the address again
                self._variable,
            )


def _accept(listener: socket.socket, free: threading.BoundedSemaphore) -> None:
    try:
        connection, peer = listener.accept()
    except OSError:  # no client for a while, or one that left at once
        return
    if free.acquire(timeout=_RETRY_SECONDS):
        threading.Thread(target=_serve, args=(connection, peer, free), name="otel-chatbot-endpoint", daemon=True).start()
    else:
        connection.close()


def _serve(connection: socket.socket, peer: Any, free: threading.BoundedSemaphore) -> None:
    try:
        with connection:
            _Handler(connection, peer, None)  # type: ignore[arg-type]  # no server: it serves from its constructor
    except OSError:
        pass  # the client went away
    except Exception as error:
        report("serving /metrics and /health/detailed", error)
    finally:
        free.release()


class _Handler(BaseHTTPRequestHandler):
    """One connection, one request; a request that is not proper HTTP gets a 4xx."""

    timeout = _PATIENCE_SECONDS

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):  # any method: the views decide which they accept
            return self._answer
        raise AttributeError(name)

    def _answer(self) -> None:
        path, _, query = self.path.partition("?")
        view = _views().get(path)
        if view is None:
            self.send_error(404)
            return
        self._forget_body()
        response = view(self._environ(path, query))
        self._send(response.status_code, dict(response.headers), response.get_data())

    def _environ(self, path: str, query: str) -> dict[str, Any]:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REMOTE_ADDR": self.client_address[0],
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            _access.APART: True,
        }
        for name, value in self.headers.items():
            key = "HTTP_" + name.upper().replace("-", "_")
            environ[key] = f"{environ[key]},{value}" if key in environ else value
        return environ

    def _forget_body(self) -> None:
        """Read the request's body: if the connection were closed before, the client might lose the answer."""
        length = self.headers.get("Content-Length", "")
        if length.isdecimal():
            self.rfile.read(min(int(length[:9]), _MOST_BODY))

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Answer a bad request with a 4xx in JSON; an unknown method or HTTP version is one, too."""
        status = code if 400 <= code < 500 else 400
        self._send(status, _JSON, f'{{"error":"{http.client.responses[status].lower()}"}}\n'.encode())

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body)), "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def version_string(self) -> str:
        """The name of the server: the processes of the app recognise each other by it."""
        return _name()

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Log nothing: a scrape comes every few seconds."""


@functools.lru_cache(maxsize=1)
def _views() -> dict[str, Callable[[Mapping[str, Any]], Any]]:
    """The served views, by path; imports werkzeug."""
    import werkzeug.wrappers  # noqa: F401

    from ...health.views import VIEWS as HEALTH
    from ...metrics.blueprint import VIEWS as METRICS

    return {path: view for path, view in {**METRICS, **HEALTH}.items() if path in _access.SHUT}


def _name() -> str:
    return f"otel-chatbot/{shared.run_identity()[0]}"


def _is_ours(address: tuple[str, int]) -> bool:
    connection = http.client.HTTPConnection(*address, timeout=_RETRY_SECONDS)
    try:
        connection.request("HEAD", "/")
        return connection.getresponse().getheader("Server") == _name()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@functools.lru_cache(maxsize=1)
def serve_apart() -> EndpointServer | None:
    """Have this process serve the port of the setting, where one is set; None where none is set."""
    settings = config.current()
    if not settings.endpoint_port:
        return None
    return _from_when_it_works(EndpointServer(settings.endpoint_host, settings.endpoint_port))


@functools.lru_cache(maxsize=1)
def serve_prometheus() -> EndpointServer:
    """Have this process serve the port of OTEL_METRICS_EXPORTER=prometheus.

    Upstream's reader serves one process's figures, under a server that forks those of its master: none of the app's.
    """
    host = os.environ.get("OTEL_EXPORTER_PROMETHEUS_HOST") or "localhost"
    port = int(os.environ.get("OTEL_EXPORTER_PROMETHEUS_PORT") or PROMETHEUS_PORT)
    return _from_when_it_works(EndpointServer(host, port, "OTEL_EXPORTER_PROMETHEUS_PORT"))


def _from_when_it_works(server: EndpointServer) -> EndpointServer:
    """Start a server when this process begins to work.

    That is when werkzeug's server starts, when a worker of gunicorn has loaded the app, and else with the first figure.
    """
    STORE.beginnings.append(server.start)

    def before(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
        server.start()
        return wrapped(*args, **kwargs)

    def after(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
        result = wrapped(*args, **kwargs)
        server.start()
        return result

    when_imported("werkzeug.serving")(lambda module: wrap_function_wrapper(module, "BaseWSGIServer.serve_forever", before))
    when_imported("gunicorn.workers.base")(lambda module: wrap_function_wrapper(module, "Worker.load_wsgi", after))
    return server
