"""What is installed and who sets it up: versions, distros, instrumentations, reloader and workers."""

from __future__ import annotations

import importlib
import platform
from pathlib import Path

import pytest
from support.distro import plant

from otel_chatbot.cli.doctor import setup
from otel_chatbot.cli.doctor.findings import Finding, Status


def names(findings: list[Finding]) -> list[tuple[str, Status]]:
    return [(one.name, one.status) for one in findings]


def test_a_fresh_installation_has_what_it_needs() -> None:
    found = list(setup.versions())
    assert {one.status for one in found} == {Status.WELL}
    assert found[0].message == f"Python {platform.python_version()} on {platform.system()}"
    assert [one.message for one in found if one.message.startswith("otel-chatbot ")]


def test_what_is_missing_or_too_old_is_named_with_who_needs_it_and_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path, "needy", "", {})
    metadata = tmp_path / "needy-1.0.dist-info" / "METADATA"
    wanted = ("flask>=99", "not-there>=1", "redis>=1", "other; extra == 'x'", "opentelemetry-api>=99", "flask>=98")
    metadata.write_text(metadata.read_text() + "".join(f"Requires-Dist: {line}\n" for line in wanted))
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    found = list(setup._wrong_versions("needy", set()))
    assert [one.remedy for one in found] == [
        "pip install 'flask>=99'",
        "pip install 'not-there>=1'",
        "pip install 'opentelemetry-api>=99'",
    ]
    assert "needy needs >=99" in found[0].message
    assert found[1].message == "not-there is missing; needy needs it"


def test_ours_is_the_distro_and_another_one_beside_it_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("OTEL_PYTHON_DISTRO", "OTEL_PYTHON_CONFIGURATOR"):
        monkeypatch.delenv(variable, raising=False)
    assert names(list(setup.winners())) == [("distro", Status.WELL), ("configurator", Status.WELL)]
    monkeypatch.syspath_prepend(str(plant(tmp_path, "rival", "", {"opentelemetry_distro": "rival = rival:Distro"})))
    importlib.invalidate_caches()
    second = next(setup.winners())
    assert (second.name, second.status) == ("second-distro", Status.WARNING)
    assert "pip uninstall rival" in second.remedy
    monkeypatch.setenv("OTEL_PYTHON_DISTRO", "otel_chatbot")
    assert next(setup.winners()).status is Status.WELL
    monkeypatch.setenv("OTEL_PYTHON_DISTRO", "gone")
    absent = next(setup.winners())
    assert (absent.name, absent.status) == ("distro", Status.FAILED)
    assert "OTEL_PYTHON_DISTRO=gone is not installed" in absent.message


def test_each_library_is_observed_when_it_is_imported_unless_it_was_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "redis,genai")
    found = {one.message.partition(":")[0]: one for one in setup.instrumentations()}
    assert found["flask"].message == "flask: when it is imported"
    assert found["redis"].status is found["model calls"].status is Status.WARNING
    assert found["redis"].remedy == "take redis out of that variable"


def test_calls_of_models_say_which_libraries_carry_them_and_whether_they_have_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", raising=False)
    monkeypatch.setattr(setup, "_is_there", lambda name: name in ("httpx", "openai", "flask"))
    found = [one for one in setup.instrumentations() if one.name != "not-traced"]
    assert [one.message for one in found if one.message.startswith("model calls: seen")] == [
        "model calls: seen when these are imported: httpx, openai"
    ]
    assert found[-1].message == "model calls have no prices"
    assert [one.message for one in found if "not installed" in one.message] == [
        "pymongo: not installed",
        "redis: not installed",
        "cachelib: not installed",
    ]


@pytest.mark.parametrize("module", ["nowhere_at_all", "nowhere.at.all", "json.nowhere.deep", ""])
def test_a_module_that_cannot_even_be_looked_for_is_not_there(module: str) -> None:
    assert not setup._is_there(module)
    assert setup._is_there("json.decoder")


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, [("workers", Status.WELL)]),
        ({"OTEL_SDK_DISABLED": "true"}, [("sdk-disabled", Status.FAILED), ("workers", Status.WELL)]),
        ({"FLASK_DEBUG": "1"}, [("reloader", Status.WARNING), ("workers", Status.WELL)]),
        ({"FLASK_DEBUG": "no"}, [("workers", Status.WELL)]),
        ({"WEB_CONCURRENCY": "4"}, [("workers", Status.WELL)]),
        ({"GUNICORN_CMD_ARGS": "--reload -w 2"}, [("workers", Status.WELL), ("reloader", Status.WARNING)]),
    ],
)
def test_the_environment_says_how_processes_are_made(environ: dict[str, str], found: list[tuple[str, Status]]) -> None:
    assert names(list(setup.process(environ))) == found


def test_workers_without_a_gunicorn_are_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "_is_there", lambda _: False)
    found = list(setup.process({"WEB_CONCURRENCY": "4"}))
    assert found[0].message == "gunicorn: WEB_CONCURRENCY=4"
    assert found[1].remedy == "pip install gunicorn"
