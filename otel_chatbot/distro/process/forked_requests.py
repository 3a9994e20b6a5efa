"""Werkzeug's server with `processes`: each request has a process of its own, which ends without any exit hook.

Fed by `werkzeug.serving`, when it is imported; feeds `distro.steps`, which has such a process keep nothing to itself. The
client has its whole answer by then. What is on disk is sent by the server's own process.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from wrapt import when_imported, wrap_function_wrapper

_SERVER = "_otel_chatbot_server_pid"


def flush_forked_requests(flush: Callable[[], None]) -> None:
    """Call `flush` at the end of each request that a process was forked for."""

    def hook(module: Any) -> None:
        def serve_forever(wrapped: Any, server: Any, args: Any, kwargs: Any) -> Any:
            setattr(server, _SERVER, os.getpid())
            return wrapped(*args, **kwargs)

        def shutdown_request(wrapped: Any, server: Any, args: Any, kwargs: Any) -> Any:
            answer = wrapped(*args, **kwargs)
            if getattr(server, _SERVER, os.getpid()) != os.getpid():
                flush()
            return answer

        wrap_function_wrapper(module, "ForkingWSGIServer.serve_forever", serve_forever)
        wrap_function_wrapper(module, "ForkingWSGIServer.shutdown_request", shutdown_request)

    when_imported("werkzeug.serving")(hook)
