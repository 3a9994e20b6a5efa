"""The chat page in a real browser, on the real servers: what a person sees and does."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from support.browser import page as browser_page
from support.process import wait_for
from support.servers import MongoServer
from support.stack import Stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, mongo_server: MongoServer) -> Iterator[Stack]:
    env = {"CHATBOT_OTEL_FEEDBACK_HEADER": "X-Answer-Id"}
    with Stack(tmp_path_factory.mktemp("page"), mongo=mongo_server, env=env) as stack:
        yield stack


@pytest.fixture
def page(stack: Stack) -> Iterator[Page]:
    with browser_page() as page:
        page.goto(f"{stack.url}/")
        yield page


def say(page: Page, message: str) -> None:
    page.get_by_label("Your message").fill(message)
    page.keyboard.press("Enter")


def answers(page: Page) -> list[str]:
    return page.locator(".message.assistant .text").all_inner_texts()


def written(page: Page) -> None:
    """Wait until the answer is there in full."""
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()


def test_an_answer_streams_in(page: Page, stack: Stack) -> None:
    say(page, "/chunks 20 /slow 4")
    seen: list[str] = []

    def more() -> bool:
        found = answers(page)
        if found and found[0] and found[0] not in seen:
            seen.append(found[0])
        return bool(seen) and seen[-1] == stack.answer("/chunks 20 /slow 4")

    wait_for(more, "the whole answer")
    assert len(seen) >= 3, f"the answer did not grow while it was written: {seen}"
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(seen))
    written(page)


def test_an_answer_can_be_rated_by_a_thumb_and_the_mind_be_changed(page: Page, stack: Stack) -> None:
    def rated(name: str) -> float:
        return stack.total("chatbot_feedback", chatbot_feedback_rating=name)

    for cached in (False, True):  # the second answer comes from the cache
        say(page, "is this one any good?")
        written(page)
        thumbs = page.locator(".message.assistant").last.locator(".thumbs button")
        expect(thumbs).to_have_count(2)
        thumbs.first.click()
        expect(thumbs.first).to_have_attribute("aria-pressed", "true")
        assert rated("up") == 1, f"cached: {cached}"
        thumbs.last.click()
        expect(thumbs.last).to_have_attribute("aria-pressed", "true")
        expect(thumbs.first).to_have_attribute("aria-pressed", "false")
        assert (rated("up"), rated("down")) == (0, 1 + cached)
        page.get_by_role("button", name="New conversation").click()


@pytest.mark.parametrize(("message", "reason"), [("/fail 500", "The model did not answer"), ("/cut", "The model broke off")])
def test_a_failed_call_of_the_model_shows_a_message_and_the_next_one_works(page: Page, message: str, reason: str) -> None:
    say(page, message)
    expect(page.get_by_role("alert")).to_contain_text(reason)
    written(page)
    say(page, "and now?")
    expect(page.locator(".message.assistant").last).to_contain_text("and now?")


def test_a_reload_shows_the_history(page: Page, stack: Stack) -> None:
    say(page, "what is kept here?")
    written(page)
    expect(page.locator(".message.assistant .text")).to_have_text(stack.answer("what is kept here?"))
    page.reload()
    expect(page.locator(".message.user .text")).to_have_text("what is kept here?")
    expect(page.locator(".message.assistant .text")).to_have_text(stack.answer("what is kept here?"))
    expect(page.get_by_role("heading", level=2)).to_have_text("what is kept here?")


def test_conversations_are_listed_opened_and_deleted(page: Page) -> None:
    say(page, "the first conversation")
    written(page)
    page.get_by_role("button", name="New conversation").click()
    say(page, "the second conversation")
    written(page)
    entries = page.get_by_role("navigation", name="Conversations").get_by_role("listitem")
    expect(entries).to_have_text(["the second conversation", "the first conversation"])

    entries.get_by_text("the first conversation").click()
    expect(page.locator(".message.user .text")).to_have_text("the first conversation")
    page.get_by_role("button", name="Delete “the first conversation”").click()
    expect(entries).to_have_text(["the second conversation"])
    expect(page.locator(".message")).to_have_count(0)


def test_an_answer_can_be_stopped(page: Page) -> None:
    say(page, "/chunks 200 /slow 20")
    expect(page.locator(".message.assistant .text")).not_to_be_empty()
    page.get_by_role("button", name="Stop the answer").click()
    written(page)
    expect(page.locator(".message.assistant .note")).to_have_text("stopped")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_markup_in_a_message_stays_text(page: Page) -> None:
    say(page, "<b>bold</b><img src=x onerror=alert(1)>")
    written(page)
    expect(page.locator(".message.user .text")).to_have_text("<b>bold</b><img src=x onerror=alert(1)>")
    expect(page.locator(".message b, .message img")).to_have_count(0)
