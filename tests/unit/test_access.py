"""Who may see the endpoints: tokens, peers, proxies."""

from __future__ import annotations

import logging

import pytest
from support.health import fresh_health

from otel_chatbot import _access

FAR = {"REMOTE_ADDR": "203.0.113.9"}


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.1.1", "::1",
     "fd00::1", "fe80::1%eth0", "::ffff:10.0.0.1", ""],
)  # fmt: skip
def test_loopback_private_and_unix_socket_peers_are_close(address: str) -> None:
    assert _access.is_close({"REMOTE_ADDR": address})


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "172.32.0.1", "203.0.113.9", "0.0.0.0", "2001:4860::1", "::ffff:8.8.8.8", "localhost", "10.0.0.1, 1.1.1.1"],
)
def test_every_other_peer_is_far(address: str) -> None:
    assert not _access.is_close({"REMOTE_ADDR": address})


@pytest.mark.parametrize(
    "header", ["FORWARDED", "X_FORWARDED_FOR", "X_FORWARDED_HOST", "X_FORWARDED_PROTO", "X_REAL_IP", "VIA", "CF_CONNECTING_IP"]
)
def test_a_proxied_request_is_far_whatever_its_peer(header: str) -> None:
    assert not _access.is_close({"REMOTE_ADDR": "127.0.0.1", f"HTTP_{header}": ""})


def test_outside_of_production_and_without_a_token_everybody_is_served() -> None:
    with fresh_health():
        assert _access.denied(FAR) is None


def test_in_production_far_peers_get_403_and_one_line_tells_the_remedy(caplog: pytest.LogCaptureFixture) -> None:
    with fresh_health(ENVIRONMENT="production"), caplog.at_level(logging.WARNING):
        assert _access.denied({"REMOTE_ADDR": "127.0.0.1"}) is None
        assert caplog.records == []
        for _ in range(3):
            refused = _access.denied(FAR)
            assert refused is not None
            assert refused.status == 403
        assert len(caplog.records) == 1
        assert "CHATBOT_OTEL_ENDPOINT_TOKEN" in caplog.text


@pytest.mark.parametrize(
    "sent", ["", "Bearer", "Bearer ", "Bearer tok", "Bearer tok-123456", "Basic tok-12345", "tok-12345", "Bearer t\xf6k-12345",
             "Bearer \u1234"]
)  # fmt: skip
def test_a_wrong_token_gets_401(sent: str) -> None:
    with fresh_health(CHATBOT_OTEL_ENDPOINT_TOKEN="tok-12345"):
        refused = _access.denied({"REMOTE_ADDR": "127.0.0.1", "HTTP_AUTHORIZATION": sent})
        assert refused is not None
        assert refused.status == 401
        assert refused.headers["WWW-Authenticate"] == "Bearer"
        assert "tok-12345" not in refused.body


@pytest.mark.parametrize("environment", ["production", "development"])
def test_the_token_serves_anybody_who_has_it(environment: str) -> None:
    with fresh_health(CHATBOT_OTEL_ENDPOINT_TOKEN="tök-12345", ENVIRONMENT=environment):
        sent = "bearer  tök-12345".encode().decode("latin-1")  # as a WSGI server hands it over
        assert _access.denied({**FAR, "HTTP_X_FORWARDED_FOR": "1.1.1.1", "HTTP_AUTHORIZATION": sent}) is None
