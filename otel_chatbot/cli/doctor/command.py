"""`otel-chatbot doctor`: what is installed, which distro is used, what is set, what answers; and what to do about each fault.

Fed by the environment, the installed packages, the endpoints and, if asked, the running app; feeds the terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ...distro.environment import set_defaults
from ...variables.mending import MENDING
from . import app as doctor_app
from . import places, process, servers, settings, setup, signals
from .findings import Finding, as_json, is_well, not_looked_at, section
from .text import Style, as_text


@dataclass(frozen=True)
class DoctorOptions:
    """What to look at beside the environment; all of it may be left empty.

    `url` is the running app's, `app` a module or file to import under instrumentation, `port` one that the app is to have.
    `prometheus`, `collector` and `traces` are addresses where the round trip is looked for, for `wait` seconds.
    """

    url: str = ""
    app: str = ""
    port: int = 0
    prometheus: str = ""
    collector: str = ""
    traces: str = ""
    wait: float = 30.0
    json: bool = False


def doctor(asked: DoctorOptions) -> int:
    """Print all findings; 1 when there is a fault."""
    given = MENDING.given()
    set_defaults()
    looked_for = signals.Destinations(asked.prometheus, asked.collector, asked.traces, asked.wait)
    sections: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("versions", setup.versions),
        ("who sets up", setup.winners),
        ("providers", lambda: process.providers(asked.app)),
        ("settings", lambda: settings.settings(given)),
        ("instrumentations", setup.instrumentations),
        ("process", lambda: setup.process(given)),
        ("places", lambda: places.places(asked.port)),
        ("servers", servers.servers),
        ("signals", lambda: signals.signals(looked_for)),
    ]
    title = f"the app at {asked.url}" if asked.url else "the running app"
    sections.append((title, lambda: doctor_app.app(asked.url) if asked.url else _no_app()))
    found = [section(title, findings()) for title, findings in sections]
    if asked.json:
        print(as_json(found))
    else:
        print(as_text(found, Style.of(sys.stdout)))
    return 0 if is_well(found) else 1


def _no_app() -> Iterator[Finding]:
    yield not_looked_at(
        "app", "the running app: its routes, what it counted and what it lost",
        "name its address: otel-chatbot doctor http://127.0.0.1:5000",
    )  # fmt: skip
