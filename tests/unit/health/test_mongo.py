"""The check `database` asks over a client of the package's own, with the app's address and credentials and short time-outs."""

from __future__ import annotations

from collections.abc import Iterator

import pymongo
import pytest
from pymongo.errors import AutoReconnect, OperationFailure
from support.health import fresh_health
from support.process import free_port

from otel_chatbot.health import clients
from otel_chatbot.health.mongo import _told, check_database, own_client
from otel_chatbot.health.results import HealthStatus


@pytest.fixture
def app_client() -> Iterator[pymongo.MongoClient[dict[str, object]]]:
    client: pymongo.MongoClient[dict[str, object]] = pymongo.MongoClient(
        "mongodb://user:pass@127.0.0.1:1/chat?readPreference=secondary",
        connect=False,
        appname="chat",
        maxPoolSize=50,
        serverSelectionTimeoutMS=30_000,
        tls=False,
    )
    yield client
    client.close()


def test_without_a_client_and_an_address_there_is_nothing_to_check() -> None:
    with fresh_health():
        found = check_database(1.0)
    assert (found.status, found.message) == (HealthStatus.HEALTHY, "not configured")


def test_our_client_has_the_apps_settings_but_our_limits_and_our_name(
    app_client: pymongo.MongoClient[dict[str, object]],
) -> None:
    with own_client(app_client, "mongodb://other:2/", 0.25) as own:
        options = own.options
        assert own is not app_client
        assert list(own.topology_description.server_descriptions()) == [("127.0.0.1", 1)]
        assert options.read_preference.mode == pymongo.ReadPreference.SECONDARY.mode
        assert (options.pool_options.max_pool_size, options.pool_options.appname) == (1, clients.OWN_APPNAME)
        assert (options.server_selection_timeout, options.timeout, options.retry_reads) == (0.25, 0.25, False)
        assert options.pool_options._credentials.username == "user"


def test_without_an_app_client_the_address_of_the_settings_is_asked() -> None:
    with own_client(None, "mongodb://127.0.0.1:2/", 0.0001) as own:
        assert list(own.topology_description.server_descriptions()) == [("127.0.0.1", 2)]
        assert own.options.server_selection_timeout == 0.001, "0 would mean no limit"


def test_a_refused_port_is_told_of_with_pymongos_own_error_before_the_budget_is_over() -> None:
    with fresh_health(MONGODB_URI=f"mongodb://127.0.0.1:{free_port()}/"), pytest.raises(AutoReconnect, match="refused"):
        check_database(20.0)


@pytest.mark.parametrize(
    ("details", "told"),
    [
        ({"codeName": "AuthenticationFailed", "errmsg": "for user 'me'"}, "OperationFailure: AuthenticationFailed (code 18)"),
        ({"codeName": "no name at all", "errmsg": "for user 'me'"}, None),
        (None, None),
    ],
)
def test_what_mongodb_refuses_is_named_without_its_message(details: dict[str, str] | None, told: str | None) -> None:
    found = _told(OperationFailure("for user 'me'", 18, details))
    assert "'me'" not in found
    assert "no name at all" not in found
    assert told is None or found == told
