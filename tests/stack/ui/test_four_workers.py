"""Four workers of one app are one app in the viewer, and together they say what the app says."""

from __future__ import annotations

from pathlib import Path

from support.process import wait_for
from support.servers import MongoServer
from support.stack import Stack
from support.viewer import Viewer

LIMIT = 60.0


def test_four_workers_are_one_app_whose_figures_traces_and_lines_are_those_of_all(
    tmp_path: Path, mongo_server: MongoServer
) -> None:
    env = {"OTEL_SERVICE_NAME": "of-four"}
    with (
        Stack(tmp_path, server="gunicorn", workers=4, mongo=mongo_server, env=env) as stack,
        Viewer(tmp_path / "viewer", stack.logs) as viewer,
    ):
        for number in range(12):
            assert stack.chat(f"question {number}", user_id="ada").status == 200

        def requests() -> float:
            return sum(series["value"] for series in viewer.ask("metrics/chatbot.api.requests", window=0)["series"])

        wait_for(
            lambda: viewer.get("/api/metrics/chatbot.api.requests")[0] == 200 and requests() == 12, "the requests of all", LIMIT
        )
        wait_for(lambda: len(viewer.ask("traces")["traces"]) == 12, "their traces", LIMIT)
        wait_for(lambda: len(viewer.ask("logs", text="Answered ")["logs"]) == 12, "their lines", LIMIT)
        assert len({series["instance"] for series in viewer.ask("metrics/chatbot.api.requests")["series"]}) == 1
        assert {resource["service"] for resource in viewer.ask("traces")["services"].values()} == {"of-four"}
        assert viewer.ask("now", window=0)["services"] == ["of-four"]
