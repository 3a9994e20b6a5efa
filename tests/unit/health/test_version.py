"""The version that the health answers show: who wins, and that the app is found."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import flask
import pytest
from opentelemetry import trace
from support.health import fresh_health

from otel_chatbot.health import create_health_blueprint
from otel_chatbot.health.version import version


@pytest.fixture(autouse=True)
def no_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "get_tracer_provider", object)


def _version_of(app: flask.Flask) -> str:
    app.register_blueprint(create_health_blueprint())
    return str(app.test_client().get("/health").get_json()["version"])


def test_service_version_of_the_resource_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = SimpleNamespace(resource=SimpleNamespace(attributes={"service.version": "9.9"}))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    with fresh_health(OTEL_RESOURCE_ATTRIBUTES="service.version=1.0"):
        assert version() == "9.9"


def test_service_version_of_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    (tmp_path / "VERSION").write_text("2.0")
    with fresh_health(OTEL_RESOURCE_ATTRIBUTES="service.name=shop, service.version=1.0%2B3 ,a=b"):
        assert _version_of(flask.Flask("shop", root_path=str(tmp_path))) == "1.0+3"


def test_the_file_beside_the_app_goes_before_its_package(tmp_path: Path) -> None:
    (tmp_path / "VERSION").write_text(" 2.0\nbuilt on Monday\n")
    with fresh_health(OTEL_RESOURCE_ATTRIBUTES="service.name=shop"):
        assert _version_of(flask.Flask("pytest", root_path=str(tmp_path))) == "2.0"


def test_an_empty_or_binary_file_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for content in (b"", b"\xff\xfe\x00"):
        (tmp_path / "VERSION").write_bytes(content)
        with fresh_health():
            assert _version_of(flask.Flask("pytest.app", root_path=str(tmp_path))) == pytest.__version__


def test_a_package_that_is_not_installed_may_say_its_version_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = ModuleType("shop_of_the_test")
    module.__version__ = "3.1"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with fresh_health():
        assert _version_of(flask.Flask("shop_of_the_test", root_path=str(tmp_path))) == "3.1"


def test_the_packages_own_version_is_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import version as installed

    monkeypatch.chdir(tmp_path)
    with fresh_health():
        assert _version_of(flask.Flask("no_such_package", root_path=str(tmp_path))) == installed("otel-chatbot")
