"""Connections that leave HTTP: who asks for it, and what says that it has happened and ended well."""

from __future__ import annotations

from typing import Any

import pytest

from otel_chatbot.instrumentation.flask.upgrade import Upgrade, says_the_end, switched, upgrade_of


class ResetError(ConnectionResetError):
    """Not what a library raises to say the end."""


@pytest.mark.parametrize(
    ("environ", "upgrade"),
    [
        ({}, Upgrade.NONE),
        ({"HTTP_UPGRADE": "h2c"}, Upgrade.NONE),
        ({"HTTP_UPGRADE": ""}, Upgrade.NONE),
        ({"HTTP_UPGRADE": "WebSocket"}, Upgrade.ASKED),
        ({"wsgi.websocket": None}, Upgrade.MATCHED),
    ],
)
def test_a_request_asks_for_a_websocket_by_its_header_or_the_server_has_switched_already(
    environ: dict[str, Any], upgrade: Upgrade
) -> None:
    assert upgrade_of(environ) is upgrade


@pytest.mark.parametrize(
    ("upgrade", "status", "error", "ends"),
    [
        (Upgrade.ASKED, None, StopIteration(), True),
        (Upgrade.ASKED, None, ConnectionError(), True),
        (Upgrade.MATCHED, 200, StopIteration(), True),
        (Upgrade.ASKED, 200, StopIteration(), False),
        (Upgrade.MATCHED, None, ResetError(), False),
        (Upgrade.MATCHED, None, LookupError(), False),
        (Upgrade.NONE, None, StopIteration(), False),
    ],
)
def test_the_libraries_own_signals_end_a_connection_and_no_subclass_of_them(
    upgrade: Upgrade, status: int | None, error: BaseException, ends: bool
) -> None:
    assert says_the_end(upgrade, status, error) is ends


@pytest.mark.parametrize(
    ("upgrade", "status", "left_http"),
    [
        (Upgrade.NONE, None, False),
        (Upgrade.NONE, 101, False),
        (Upgrade.ASKED, None, True),
        (Upgrade.ASKED, 101, True),
        (Upgrade.ASKED, 200, False),
        (Upgrade.MATCHED, 200, True),
        (Upgrade.MATCHED, 403, False),
    ],
)
def test_a_connection_has_left_http_without_an_answer_or_by_a_route_that_answers_into_it(
    upgrade: Upgrade, status: int | None, left_http: bool
) -> None:
    assert switched(upgrade, status) is left_http
