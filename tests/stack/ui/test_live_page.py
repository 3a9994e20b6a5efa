"""What is new is on the page with its next question, without a click: in a browser whose clock the test moves."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect
from support.browser import page as browser_page
from support.process import wait_for
from support.viewer import Viewer, chat, trace_request

QUESTION_MS = 500
"""Between two questions of the page."""
LIMIT = 60.0


def test_a_chat_is_on_the_page_with_the_next_question_after_it_was_acknowledged(tmp_path: Path) -> None:
    with Viewer(tmp_path) as viewer, browser_page() as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/api/state") else None)
        page.clock.install(time=1_800_000_000)
        page.clock.pause_at(1_800_000_010)
        page.goto(f"{viewer.url}/conversations")
        shown = page.locator(".conversations a")
        expect(page.get_by_text("No conversation yet")).to_be_visible(timeout=1000 * LIMIT)
        for number in (1, 2, 3):
            assert viewer.post("/v1/traces", trace_request(*chat(number, number, conversation=f"talk-{number}")))[0] == 200
            asked.clear()
            wait_for(
                lambda number=number: shown.count() == number or page.clock.run_for(QUESTION_MS), "the chat on the page", LIMIT
            )
            assert len(asked) <= 3, "one may be under way, and one may come while the page is drawn"
