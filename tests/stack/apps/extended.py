"""One app per extension of Flask, asked through its test client; prints what it answered as JSON. Run under the distribution."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Any

from flask import Flask, current_app, request

PATHS = ("/page", "/metrics", "/metrics/json", "/health", "/health/live", "/health/ready", "/health/detailed")
EXTENSIONS: dict[str, Callable[[Flask], object]] = {}


def extension(add: Callable[[Flask], object]) -> None:
    EXTENSIONS[add.__name__] = add


@extension
def limiter(app: Flask) -> None:
    from flask_limiter import Limiter
    from flask_limiter.util import get_remote_address

    Limiter(get_remote_address, app=app)


@extension
def limiter_with_default_limits(app: Flask) -> None:
    from flask_limiter import Limiter
    from flask_limiter.util import get_remote_address

    Limiter(get_remote_address, app=app, default_limits=["1000 per hour"], storage_uri="memory://")


@extension
def csrf(app: Flask) -> None:
    from flask_wtf import CSRFProtect

    CSRFProtect(app)


@extension
def seasurf(app: Flask) -> None:
    from flask_seasurf import SeaSurf

    SeaSurf(app)


@extension
def talisman(app: Flask) -> None:
    from flask_talisman import Talisman

    Talisman(app, force_https=False)


@extension
def debug_toolbar(app: Flask) -> None:
    from flask_debugtoolbar import DebugToolbarExtension

    app.debug = True
    DebugToolbarExtension(app)


@extension
def flasgger(app: Flask) -> None:
    from flasgger import Swagger

    Swagger(app)


@extension
def login(app: Flask) -> None:
    from flask_login import LoginManager

    LoginManager(app)


@extension
def jwt(app: Flask) -> None:
    from flask_jwt_extended import JWTManager

    app.config["JWT_SECRET_KEY"] = "x" * 40
    JWTManager(app)


@extension
def cors(app: Flask) -> None:
    from flask_cors import CORS

    CORS(app)


@extension
def compress(app: Flask) -> None:
    from flask_compress import Compress

    Compress(app)


@extension
def admin(app: Flask) -> None:
    from flask_admin import Admin

    Admin(app)


@extension
def sqlalchemy(app: Flask) -> None:
    from flask_sqlalchemy import SQLAlchemy

    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite://"
    SQLAlchemy(app)


@extension
def minify(app: Flask) -> None:
    from flask_minify import Minify

    Minify(app=app)


@extension
def restx(app: Flask) -> None:
    import flask_restx

    flask_restx.Api(app, prefix="/api", doc=False)


@extension
def prometheus_exporter(app: Flask) -> None:
    from prometheus_client import CollectorRegistry
    from prometheus_flask_exporter import PrometheusMetrics

    PrometheusMetrics(app, path="/own", registry=CollectorRegistry())


@extension
def views_asked_by_hand(app: Flask) -> None:
    @app.before_request
    def ask() -> None:
        if request.path == "/page":
            return
        view: Any = current_app.view_functions[str(request.endpoint)]
        assert inspect.isfunction(view)
        assert view.__qualname__ == view.__name__
        assert view.__module__.startswith("otel_chatbot.")
        assert view.__doc__
        assert list(inspect.signature(view).parameters) == []


def made_by(name: str) -> Flask:
    if name == "apiflask":
        from apiflask import APIFlask

        app: Flask = APIFlask(name)
    elif name == "openapi3":
        from flask_openapi3 import Info, OpenAPI

        app = OpenAPI(name, info=Info(title=name, version="1"))
    else:
        app = Flask(name)
    app.secret_key = "key"
    app.add_url_rule("/page", "page", lambda: "page")
    if name in EXTENSIONS:
        EXTENSIONS[name](app)
    return app


if __name__ == "__main__":
    answers = {}
    for name in (*EXTENSIONS, "apiflask", "openapi3"):
        client = made_by(name).test_client()
        answers[name] = {path: client.get(path).status_code for path in PATHS}
    print(json.dumps(answers))
