"""Grafana's dashboards as files: each under its own id."""

from __future__ import annotations

import json

from otel_chatbot.render import dashboards


def test_every_board_is_a_file_under_its_id_and_no_two_share_one_or_a_title() -> None:
    files = dashboards.files()
    assert len(files) == len(dashboards.BOARDS)
    read = {path: json.loads(text) for path, text in files.items()}
    assert {path: f"grafana/dashboards/{board['uid']}.json" for path, board in read.items()} == {path: path for path in files}
    assert len({board["title"] for board in read.values()}) == len(files)


def test_a_reader_meets_the_overview_first() -> None:
    assert dashboards.BOARDS[0].uid == "chatbot-overview"
