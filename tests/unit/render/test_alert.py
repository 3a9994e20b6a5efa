"""An alert's words become templates, its name becomes its page."""

from __future__ import annotations

import pytest

from otel_chatbot.render.alert import Alert


def alert(says: str = "", value: str = "", name: str = "ChatbotAiSlow") -> Alert:
    return Alert(name, "up", "5m", "page", says, says, value, {"signal": "logs"})


@pytest.mark.parametrize(
    ("name", "page"), [("ChatbotAiSlow", "chatbot-ai-slow"), ("CollectorExportFailing", "collector-export-failing")]
)
def test_a_page_is_named_after_its_alert(name: str, page: str) -> None:
    assert alert(name=name).page == page


@pytest.mark.parametrize(
    ("says", "template"),
    [
        ("{job} fails", "{{ $labels.job }} fails"),
        ("{chatbot.health.check}", "{{ $labels.chatbot_health_check }}"),
        ("{job|any chatbot}", '{{ or $labels.job "any chatbot" }}'),
        ("{value} of all", "{{ $value | humanize }} of all"),
        ("{{ $x }} stays", "{{ $x }} stays"),
        ("{{job}} stays", "{{job}} stays"),
    ],
)
def test_labels_and_the_value_stand_in_the_words_as_templates(says: str, template: str) -> None:
    assert alert(says, "humanize").summary == alert(says, "humanize").description == template


def test_a_value_without_a_format_is_shown_as_it_is() -> None:
    assert alert("{value}").summary == "{{ $value }}"


def test_an_alert_carries_its_severity_beside_its_own_labels() -> None:
    assert alert().all_labels == {"severity": "page", "signal": "logs"}
