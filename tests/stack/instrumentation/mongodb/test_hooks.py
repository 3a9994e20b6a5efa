"""What a client shows of its listeners is what the application gave it, although ours hear its commands."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterator

import pymongo
import pytest
from pymongo import MongoClient
from support.databases import Figures

from otel_chatbot.instrumentation.mongodb import hooks
from otel_chatbot.semconv import metrics as m


@pytest.fixture(autouse=True)
def instrumented() -> Iterator[None]:
    # Upstream's instrumentation, which other tests switch on, registers a listener for all clients and never takes it back.
    kept = pymongo.monitoring._LISTENERS.command_listeners
    left, kept[:] = list(kept), []
    hooks.instrument()
    yield
    hooks.uninstrument()
    kept[:] = left


class Listener(pymongo.monitoring.CommandListener):
    """A listener of the application's own."""

    def started(self, event) -> None: ...

    def succeeded(self, event) -> None: ...

    def failed(self, event) -> None: ...


@pytest.mark.parametrize("kind", [MongoClient, pymongo.AsyncMongoClient])
@pytest.mark.parametrize("given", [None, [], [Listener()], (Listener(), Listener())], ids=["none", "empty", "one", "two"])
def test_a_client_shows_the_listeners_that_the_application_gave(kind, given) -> None:
    arguments = {} if given is None else {"event_listeners": given}
    client = kind("mongodb://127.0.0.1:1", connect=False, **arguments)
    assert client.options.event_listeners == list(given or ())
    assert "otel_chatbot" not in repr(client)
    assert ("event_listeners" in repr(client)) == (given is not None)
    assert client._event_listeners.enabled_for_commands
    assert client._event_listeners.enabled_for_cmap
    again = kind("mongodb://127.0.0.1:1", connect=False, event_listeners=client.options.event_listeners)
    assert again.options.event_listeners == client.options.event_listeners
    for each in (client, again):
        asyncio.run(each.close()) if kind is pymongo.AsyncMongoClient else each.close()


def test_listeners_registered_for_all_clients_are_shown_too(request) -> None:
    mine = Listener()
    pymongo.monitoring.register(mine)
    request.addfinalizer(lambda: pymongo.monitoring._LISTENERS.command_listeners.remove(mine))
    with MongoClient("mongodb://127.0.0.1:1", connect=False) as client:
        assert client.options.event_listeners == [mine]


def test_a_set_of_options_that_is_copied_is_the_applications(mongo_server) -> None:
    mine = Listener()
    with MongoClient(mongo_server.uri, event_listeners=[mine]) as first:
        assert copy.copy(first.options).event_listeners == [mine]
        with first._duplicate() as second:
            assert second.options.event_listeners == [mine]
            figures = Figures()
            second.admin.command("ping")
            assert sum(figures.series(m.DB_QUERIES).values()) == 1


def test_the_private_names_of_pymongo_that_are_used_are_there() -> None:
    assert {"__init__", "event_listeners"} <= vars(pymongo.monitoring._EventListeners).keys()
