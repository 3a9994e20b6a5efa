"""What pymongo tells our listeners without events: the same figures, nothing of secrets, and whoever else listens hears all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from pymongo import monitoring
from pymongo.monitoring import CommandListener, ConnectionPoolListener, _EventListeners
from support.databases import Figures, undisturbed

from otel_chatbot.instrumentation.mongodb import commands, direct, hooks
from otel_chatbot.metrics import deduplication
from otel_chatbot.semconv import attributes as a
from otel_chatbot.semconv import metrics as m

ADDRESS = ("db.example", 27017)
FIGURES = (m.DB_QUERIES, m.MESSAGES_SENT, m.DB_QUERY_TIME, m.DB_CLIENT_DURATION, m.CONNECTION_COUNT, m.CONNECTION_WAIT_TIME,
           m.CONNECTION_USE_TIME, m.CONNECTION_PENDING, m.DB_CONNECTIONS)  # fmt: skip


class Hears(CommandListener, ConnectionPoolListener):
    """An application's listener of everything."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        hears = name.startswith(("connection_", "pool_")) or name in ("started", "succeeded", "failed")
        return (lambda _event: self.heard.append(name)) if hears else super().__getattribute__(name)


@pytest.fixture
def _instrumented(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # Other tests have left listeners of upstream's, for every client of the process.
    monkeypatch.setattr(monitoring, "_LISTENERS", monitoring._Listeners([], [], [], [], []))
    with undisturbed(), deduplication.request_scope():
        hooks.instrument(TracerProvider(shutdown_on_exit=False))
        yield
        hooks.uninstrument()


def run(listeners: _EventListeners, name: str = "insert", command: dict[str, Any] | None = None) -> None:
    """One command on one connection, as pymongo publishes it."""
    told = {name: "messages", **(command or {"documents": [{"role": "user", "content": "Hello"}]})}
    listeners.publish_connection_created(ADDRESS, 1)
    listeners.publish_connection_check_out_started(ADDRESS)
    listeners.publish_connection_checked_out(ADDRESS, 1, 0.001)
    listeners.publish_command_start(told, "chat", 7, ADDRESS, 3, 7, service_id=None)
    listeners.publish_command_success(
        dt.timedelta(0),
        {"ok": 1, "n": 1},
        name,
        7,
        ADDRESS,
        3,
        7,
        service_id=None,
        speculative_hello=False,
        database_name="chat",
    )
    listeners.publish_connection_checked_in(ADDRESS, 1)
    listeners.publish_connection_closed(ADDRESS, 1, "idle")


@pytest.mark.usefixtures("_instrumented")
def test_the_figures_are_those_that_events_give_and_no_event_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Figures()
    run(_EventListeners([Hears()]))
    by_events = [before.named(spec) for spec in FIGURES]
    for kind in ("CommandStartedEvent", "CommandSucceededEvent", "ConnectionCheckedOutEvent", "ConnectionCheckedInEvent"):
        monkeypatch.setattr(monitoring, kind, None)
    before = Figures()
    run(_EventListeners(None))
    assert [before.named(spec) for spec in FIGURES] == by_events
    assert before(m.MESSAGES_SENT) == 1


@pytest.mark.usefixtures("_instrumented")
def test_an_application_that_listens_hears_all_of_it() -> None:
    listener, before = Hears(), Figures()
    run(_EventListeners([listener]))
    assert listener.heard == [
        "connection_created", "connection_check_out_started", "connection_checked_out", "started", "succeeded",
        "connection_checked_in", "connection_closed",
    ]  # fmt: skip
    assert before(m.MESSAGES_SENT) == 1


def another_parameter(original: Callable[..., None]) -> Callable[..., None]:
    def publish(self: _EventListeners, address: Any, new: str = "") -> None:
        original(self, address)

    return publish


def another_tool(original: Callable[..., None]) -> Callable[..., None]:
    return lambda self, address: original(self, address)


@pytest.mark.usefixtures("_instrumented")
@pytest.mark.parametrize("changed", [another_parameter, another_tool])
def test_a_method_that_we_do_not_know_stays(monkeypatch: pytest.MonkeyPatch, changed: Callable[..., Any]) -> None:
    name = "publish_connection_check_out_started"
    method = changed(getattr(_EventListeners, name))
    monkeypatch.setattr(_EventListeners, name, method)
    if changed is another_parameter:
        monkeypatch.setitem(direct._theirs, name, method)
    listeners, before = _EventListeners(None), Figures()
    assert name not in vars(listeners)
    assert "publish_command_start" in vars(listeners)
    run(listeners)
    assert before.named(m.CONNECTION_WAIT_TIME) != []


@pytest.mark.usefixtures("_instrumented")
def test_a_command_that_holds_a_password_says_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[dict[str, Any]] = []
    monkeypatch.setattr(commands.SPANS, "start", lambda _name, attributes, _prepared: shown.append(attributes))
    before = Figures()
    run(_EventListeners(None), "createUser", {"createUser": "ada", "pwd": "secret"})
    assert before.named(m.DB_QUERIES) == [({a.DB_OPERATION: "createUser"}, 1)]
    assert [a.DB_COLLECTION in attributes for attributes in shown] == [False]
