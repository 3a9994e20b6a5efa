"""What a real Prometheus says of two releases' ratings, which two instances of one service tell alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.http_answers import answering
from support.pipeline import Prometheus
from support.process import wait_for

from otel_chatbot.cli.compare import Comparison, compare
from otel_chatbot.render import scrape
from otel_chatbot.render.scrape import Addresses

RATINGS = {
    "1.0": {"up": 30, "down": 2, "5": 10, "0.8-1.0": 6, "0.4-0.6": 2},
    "2.0": {"up": 14, "down": 0, "3": 2, "0.6-0.8": 4},
    "3.0": {"up": 10, "down": 5, "4": 5, "1": 5},
    "4.0": {"up": 12, "4": 9, "5": 9},
    "5.0": {"down": 19},
}
"""The shares that are not good: 4 of 50, 2 of 20, 10 of 25, none of 30, and 19 that are too few."""


def exposition() -> str:
    """Every release runs in an instance of its own, beside the others; each tells the ratings of all. Another service is worse."""
    lines = []
    for version in RATINGS:
        here = f'job="chat",instance="pod-{version}"'
        lines += [f'target_info{{{here},service_version="{version}"}} 1', f"chatbot_api_requests_total{{{here}}} 100"]
        lines += [
            f'chatbot_feedback{{{where},chatbot_release="{release}",gen_ai_request_model="m",chatbot_feedback_rating="{rating}"}} {count}'
            for release, ratings in RATINGS.items()
            for where, found in ((here, ratings), (f'job="other",instance="pod-{version}"', {"down": 1000}))
            for rating, count in found.items()
        ]
    return "\n".join([*lines, ""])


def test_a_release_is_liked_less_by_the_ratings_of_its_answers_whoever_tells_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with answering(lambda _: (200, exposition())) as address:
        apps = Addresses(address.removeprefix("http://"), "127.0.0.1:1", interval="500ms", rules="")
        with Prometheus(tmp_path, scrape.prometheus, apps) as prometheus:
            wait_for(lambda: prometheus.value("count(target_info)") == len(RATINGS), "what the instances tell", 60)
            said = {}
            for new in ("2.0", "3.0", "4.0", "5.0"):
                code = compare(Comparison("1.0", new, prometheus.url, since=600, json=True))
                [liked] = [
                    one for one in json.loads(capsys.readouterr().out)["figures"] if one["name"] == "not liked, per rating"
                ]
                said[new] = code, liked["old"], liked["new"], liked["too_few"]
    assert said == {
        "2.0": (0, 0.08, 0.1, False),
        "3.0": (1, 0.08, 0.4, False),
        "4.0": (0, 0.08, 0, False),
        "5.0": (0, 0.08, 1, True),
    }
