"""The package's own connection to the app's Redis: the app's address and credentials, short time-outs and no retries."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from redis.asyncio import Redis as AsyncRedis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from otel_chatbot.health.redis_connection import own_redis


def settings(app_client: Any, url: str = "") -> dict[str, Any]:
    with own_redis(app_client, url, 0.25) as own:
        return dict(own.connection_pool.connection_kwargs)


def test_address_and_credentials_are_the_apps_and_limits_are_ours() -> None:
    app = redis.Redis(
        "db.example", 6380, 4, username="me", password="hush", client_name="chat", socket_timeout=30,
        health_check_interval=60, decode_responses=True, retry=Retry(ExponentialBackoff(), 10),
    )  # fmt: skip
    found = settings(app)
    names = ("host", "port", "db", "username", "password", "client_name")
    assert [found[name] for name in names] == ["db.example", 6380, 4, "me", "hush", "chat"]
    assert (found["socket_timeout"], found["socket_connect_timeout"], found["health_check_interval"]) == (0.25, 0.25, 0)
    assert found["retry"].get_retries() == 0
    assert "decode_responses" not in found
    assert app.connection_pool.connection_kwargs["socket_timeout"] == 30, "the app's own client stays as it is"


def test_without_an_app_client_the_address_of_the_settings_is_asked() -> None:
    found = settings(None, "redis://me:hush@db.example:6380/4")
    assert (found["host"], found["port"], found["db"], found["password"]) == ("db.example", 6380, 4, "hush")


@pytest.mark.parametrize(
    ("app", "kind"),
    [
        (redis.Redis("db.example"), redis.Connection),
        (AsyncRedis(host="db.example"), redis.Connection),
        (redis.Redis("db.example", ssl=True, ssl_ca_certs="ca.pem"), redis.SSLConnection),
        (AsyncRedis(host="db.example", ssl=True, ssl_ca_certs="ca.pem"), redis.SSLConnection),
        (redis.Redis(unix_socket_path="/run/redis"), redis.UnixDomainSocketConnection),
        (AsyncRedis(unix_socket_path="/run/redis"), redis.UnixDomainSocketConnection),
    ],
    ids=["plain", "plain asyncio", "TLS", "TLS asyncio", "socket", "socket asyncio"],
)
def test_the_connection_is_of_the_apps_kind_and_never_asyncios(app: Any, kind: type) -> None:
    with own_redis(app, "", 1.0) as own:
        assert own.connection_pool.connection_class is kind
        found = own.connection_pool.connection_kwargs
    if kind is redis.SSLConnection:
        assert found["ssl_ca_certs"] == "ca.pem"
    if kind is redis.UnixDomainSocketConnection:
        assert found["path"] == "/run/redis"
