from __future__ import annotations

import pytest

from otel_chatbot.ui.guard import Guard, is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1:4390", "localhost:4390", "LOCALHOST", "[::1]:4390", "127.8.9.10:80"])
def test_names_of_this_machine_are_answered(host: str) -> None:
    assert Guard().refusal({"Host": host}) is None


@pytest.mark.parametrize(
    "host", ["evil.example:4390", "127.0.0.1.evil.example", "localhost.evil.example:4390", "10.0.0.1:4390", "", "[::1"]
)
def test_a_name_that_somebody_else_may_have_made_up_is_refused(host: str) -> None:
    refusal = Guard().refusal({"Host": host})
    assert (refusal is None) is (host == "[::1")  # the loopback address, however it is written
    if refusal:
        assert refusal[0] == 403


def test_a_page_of_another_origin_is_refused_also_with_the_token() -> None:
    for origin in ("http://evil.example", "null", "http://127.0.0.1:5000"):
        headers = {"Host": "127.0.0.1:4390", "Origin": origin, "Authorization": "Bearer secret"}
        assert Guard().refusal(headers) == (403, "this page is of another origin")
        assert Guard("secret").refusal(headers) == (403, "this page is of another origin")
    assert Guard().refusal({"Host": "127.0.0.1:4390", "Origin": "http://127.0.0.1:4390"}) is None


def test_with_a_token_nobody_is_answered_without_it() -> None:
    guard = Guard("secret")
    host = {"Host": "viewer.example:4390"}
    for wrong in ({}, {"Authorization": "Bearer secre"}, {"Authorization": "Basic secret"}, {"Cookie": "otel_chatbot_ui=no"}):
        refusal = guard.refusal({**host, **wrong})
        assert refusal is not None
        assert refusal[0] == 401
    for right in ({"Authorization": "Bearer secret"}, {"Cookie": "a=b; otel_chatbot_ui=secret"}):
        assert guard.refusal({**host, **right}) is None
    assert guard.refusal(host, "secret") is None


def test_what_is_loopback() -> None:
    assert [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "::", "example.org")] == [
        True, True, True, False, False, False,
    ]  # fmt: skip
