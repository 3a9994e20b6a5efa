"""Views as ordinary functions: other extensions ask an app's views for their names, module, text and signature.

Fed by `health.views`, `metrics.blueprint` and `instrumentation.flask.routes`; feeds the view functions of Flask apps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask import Blueprint
    from werkzeug.wrappers import Response

View = Callable[[Mapping[str, Any]], "Response"]
"""A view of ours: a WSGI environ goes in, a response comes out."""


def name_of(path: str) -> str:
    """The name of the function at a path: `metrics_json` at `/metrics/json`. Each path has one of its own."""
    return path.strip("/").replace("/", "_")


def view_function(path: str, view: View) -> Callable[[], Response]:
    """A plain function for Flask that answers `path` with `view`, under a name of its own."""
    from flask import request

    def answer() -> Response:
        return view(request.environ)

    # By hand rather than with functools.wraps: its `__wrapped__` would show `inspect.signature` a parameter.
    answer.__name__ = answer.__qualname__ = name_of(path)
    answer.__module__ = view.__module__
    answer.__doc__ = view.__doc__
    return answer


def blueprint_of(name: str, module: str, views: Mapping[str, View]) -> Blueprint:
    """A Flask blueprint of a module that answers each path with its view."""
    from flask import Blueprint

    blueprint = Blueprint(name, module)
    for path, view in views.items():
        blueprint.add_url_rule(
            path,
            endpoint=name_of(path),
            view_func=view_function(path, view),
            methods=["GET"],  # Werkzeug adds HEAD
            provide_automatic_options=False,
        )
    return blueprint
