"""A health route is asked once, without redirects, and what it answers decides the exit status."""

from __future__ import annotations

import pytest
from support.http_answers import answering
from support.process import free_port

from otel_chatbot.cli.probe import ask, probe

WELL = '{"status": "healthy"}'


@pytest.mark.parametrize(
    ("given", "asked"),
    [("", "/health/ready"), ("/", "/health/ready"), ("/health/live", "/health/live"), ("/deep/one", "/deep/one")],
)
def test_without_a_path_readiness_is_asked(given: str, asked: str) -> None:
    seen: list[tuple[str, dict[str, str]]] = []
    with answering(lambda _: (200, WELL), seen) as address:
        assert ask(address + given, 60) == (200, WELL)
    assert [path for path, _ in seen] == [asked]


def test_an_address_needs_no_scheme_and_headers_are_sent() -> None:
    seen: list[tuple[str, dict[str, str]]] = []
    with answering(lambda _: (200, WELL), seen) as address:
        assert ask(address.removeprefix("http://"), 60, "/metrics", {"Authorization": "Bearer t0ken"})[0] == 200
    [(path, headers)] = seen
    assert (path, headers["Authorization"]) == ("/metrics", "Bearer t0ken")


def test_a_redirect_is_an_answer_and_not_followed() -> None:
    with answering(lambda path: (302, "") if path == "/health/ready" else (200, WELL)) as address:
        assert ask(address, 60) == (302, "")


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "http://", "//"])
def test_what_is_no_http_address_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ValueError, match=r"expected an address like http://127\.0\.0\.1:5000"):
        ask(url, 60)


@pytest.mark.parametrize(("status", "code"), [(200, 0), (204, 1), (404, 1), (503, 1)])
def test_200_alone_is_well_and_the_answer_is_shown_in_bounds(
    status: int, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with answering(lambda _: (status, "" if status == 204 else "x" * 5000)) as address:
        assert probe(address, 60) == code
    shown = capsys.readouterr().out
    assert shown.startswith(str(status))
    assert len(shown) < 2010


def test_who_does_not_answer_is_named_with_the_error(capsys: pytest.CaptureFixture[str]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert probe(url, 60) == 1
    assert capsys.readouterr().err.startswith(f"{url}: ConnectionRefusedError: ")
    assert probe("http://127.0.0.1:port", 60) == 1
    assert "ValueError" in capsys.readouterr().err
