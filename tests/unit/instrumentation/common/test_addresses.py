"""Addresses in one text: host and port apart, and what is no address as it is."""

from __future__ import annotations

import pytest

from otel_chatbot.instrumentation.common.addresses import host_and_port


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("db.example:27017", "db.example", 27017),
        ("db.example", "db.example", None),
        ("192.0.2.7:1", "192.0.2.7", 1),
        ("[2001:db8::1]:6379", "2001:db8::1", 6379),
        ("[2001:db8::1]", "2001:db8::1", None),
        ("/run/redis.sock", "/run/redis.sock", None),
        ("/run/odd:6379", "/run/odd:6379", None),
        ("db.example:", "db.example", None),
        ("db.example:65535", "db.example", 65535),
    ],
)
def test_host_and_port_are_told_apart(text: str, host: str, port: int | None) -> None:
    assert host_and_port(text) == (host, port)


@pytest.mark.parametrize(
    "text", ["2001:db8::1", "a:b:c", "[::1", "[::1]5", "host:port", "host:+80", "host:\u0661", "host:123456", "", "host:-1"]
)
def test_what_is_no_address_comes_back_as_it_is(text: str) -> None:
    assert host_and_port(text) == (text, None)


@pytest.mark.parametrize("text", ["host:0", "host:65536", "host:99999"])
def test_a_port_that_cannot_be_is_left_out(text: str) -> None:
    assert host_and_port(text) == ("host", None)


def test_a_port_alone_keeps_the_text_as_its_host() -> None:
    assert host_and_port(":8080") == (":8080", 8080)
