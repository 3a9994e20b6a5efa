"""Werkzeug's server with `processes`: each request has its own process, which ends without any exit hook.

`distro.steps` gives the function that is called at the end of such a process, so that its telemetry is not lost. By then the
client has its whole answer. The server's own process sends what is on disk.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from wrapt import when_imported, wrap_function_wrapper

_SERVER = "_otel_chatbot_server_pid"


def flush_forked_requests(flush: Callable[[], None]) -> None:
    """Call `flush` at the end of each request that has its own forked process."""

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
