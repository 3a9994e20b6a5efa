"""The viewer's page in a real browser, over a chatbot of four workers: what it shows is what the ledger says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from support.browser import page as browser_page
from support.process import wait_for
from support.servers import MongoServer
from support.stack import Stack
from support.viewer import Viewer

from otel_chatbot.ui.top import words

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"><b>bold</b>"
PATIENCE = 60_000


@dataclass
class Said:
    """The ledger: what was said to the app, by conversation."""

    talk: str
    hostile: str
    failed: str
    failed_trace: str = ""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, mongo_server: MongoServer) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("viewed")
    told = {"CHATBOT_OTEL_CAPTURE_CONTENT": "true", "OTEL_SERVICE_NAME": "viewed"}
    with Stack(folder, server="gunicorn", workers=4, mongo=mongo_server, env=told) as stack:
        yield stack


@pytest.fixture(scope="module")
def viewer(stack: Stack) -> Iterator[Viewer]:
    with Viewer(stack.folder / "viewer", stack.logs) as viewer:
        yield viewer


@pytest.fixture(scope="module")
def said(stack: Stack, viewer: Viewer) -> Said:
    """Three conversations: of three turns, of one hostile turn, and of one whose model fails."""

    def talk(*messages: str) -> str:
        identity = ""
        for message in messages:
            more = {"conversation_id": identity} if identity else {}
            reply = stack.chat(message, user_id="ada", **more)
            identity = identity or reply.json.get("conversation_id", "")
        return identity

    first = talk("what is a trace?", "and a span?", "what is a trace?")
    hostile = talk(HOSTILE)
    assert stack.chat("/fail 500", user_id="eve").status == 502
    wait_for(lambda: len(viewer.ask("conversations")["conversations"]) == 3, "three conversations in the viewer", 60)
    wait_for(lambda: viewer.ask("conversations", failed=1)["conversations"], "the failed one", 60)
    [failed] = viewer.ask("conversations", failed=1)["conversations"]
    wait_for(
        lambda: [turn["code"] for turn in viewer.ask(f"conversations/{first}")["timeline"]] == [200] * 3, "three turns", 60
    )
    return Said(first, hostile, failed["id"])


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    """One page for all tests: a browser takes seconds to start."""
    with browser_page() as page:
        refused: list[str] = []
        page.on("console", lambda line: refused.append(line.text) if "Content Security Policy" in line.text else None)
        page.set_default_timeout(PATIENCE)
        yield page
        assert not refused, refused


@pytest.fixture
def page(browser: Page, viewer: Viewer, said: Said) -> Iterator[Page]:
    expect.set_options(timeout=PATIENCE)
    browser.set_viewport_size({"width": 1200, "height": 800})
    browser.goto(viewer.url)
    yield browser
    expect.set_options(timeout=5_000)


def strip(page: Page) -> dict[str, str]:
    """The figures over a conversation."""
    names = page.locator(".strip dt").all_inner_texts()
    return dict(zip(names, page.locator(".strip dd").all_inner_texts(), strict=True))


def test_a_conversation_shows_what_the_ledger_says_and_steps_through_time(page: Page, stack: Stack, said: Said) -> None:
    expect(page.locator(".conversations a")).to_have_count(3)
    page.get_by_text(said.talk).click()
    expect(page.locator(".turn")).to_have_count(3)
    calls = stack.model.calls()[:-2]  # the other two conversations came later
    expected = {
        "Turns": "3",
        "Model calls": str(len(calls)),
        "Tokens in": str(sum(call.prompt_tokens for call in calls)),
        "Tokens out": str(sum(call.completion_tokens for call in calls)),
        "Errors": "0",
    }
    shown = strip(page)
    assert {name: shown[name] for name in expected} == expected
    expect(page.locator(".turn .asked").first).to_have_text("what is a trace?")
    expect(page.locator(".turn .answered").first).to_have_text(stack.answer("what is a trace?"))

    scrubber = page.get_by_label("Moment of the conversation")
    scrubber.focus()
    page.keyboard.press("Home")
    assert strip(page)["Turns"] == "1"
    assert strip(page)["Tokens in"] == "0"
    expect(page.locator(".turn.later")).to_have_count(2)
    page.keyboard.press("End")
    assert strip(page) == shown
    expect(page.locator(".turn.later")).to_have_count(0)


def test_hostile_text_is_shown_as_text(page: Page, viewer: Viewer, said: Said) -> None:
    page.goto(f"{viewer.url}/conversations/{said.hostile}")
    expect(page.locator(".asked")).to_have_text(HOSTILE)
    assert page.locator("main script, main img, main b:has-text('bold')").count() == 0
    assert page.title() == "Conversations · otel-chatbot"
    for path in ("/traces?text=script", "/logs?text=script", f"/conversations/{HOSTILE.replace('/', '%2F')}"):
        page.goto(viewer.url + path)
        expect(page.locator("h1").first).to_be_visible()
        assert "otel-chatbot" in page.title()


def test_an_error_leads_from_the_list_to_its_trace_to_its_log_line(page: Page) -> None:
    page.get_by_role("link", name="Errors", exact=True).click()
    page.get_by_role("link", name="InternalServerError").first.click()
    expect(page.locator(".waterfall .failed").first).to_be_visible()
    expect(page.locator("h1")).to_contain_text("502")
    page.get_by_role("link", name="log lines").click()
    expect(page.locator(".lines .body", has_text="POST /chat 502")).to_be_visible()
    page.locator(".lines .line.bad button, .lines button").first.click()
    expect(page.locator(".lines .details")).to_be_visible()


def test_the_conversations_of_a_user_are_found_by_the_hash_that_stands_for_it(page: Page, viewer: Viewer, said: Said) -> None:
    page.get_by_text(said.talk).click()
    user = viewer.ask(f"conversations/{said.talk}")["user"]
    assert user not in (None, "ada")
    page.get_by_role("link", name=user).click()
    expect(page.locator("#filter-user")).to_have_value(user)
    expect(page.locator(".conversations a")).to_have_count(2)
    assert {one["id"] for one in viewer.ask("conversations", user=user)["conversations"]} == {said.talk, said.hostile}


def test_traces_are_narrowed_by_an_attribute(page: Page, viewer: Viewer, said: Said) -> None:
    page.goto(f"{viewer.url}/traces?attribute=gen_ai.conversation.id&value={said.talk}")
    expect(page.locator(".traces a")).to_have_count(3)
    page.locator("#filter-value").fill("nobody's")
    expect(page.get_by_text("No trace", exact=True)).to_be_visible()


def test_two_traces_are_compared_by_what_each_did(page: Page, viewer: Viewer, said: Said) -> None:
    first, second, _ = viewer.ask(f"conversations/{said.talk}")["timeline"]
    page.goto(f"{viewer.url}/traces/{first['trace']}")
    expect(page.locator(".waterfall")).to_have_count(1)
    page.get_by_label("Compare with").fill(second["trace"])
    expect(page.locator(".waterfall")).to_have_count(2)
    [row] = page.locator(".differences tr", has=page.get_by_role("rowheader", name="chat gpt-4o-mini")).all()
    assert [cell.startswith("1 \N{MULTIPLICATION SIGN} ") for cell in row.locator("td").all_inner_texts()[:2]] == [True, True]
    only_the_first = page.locator(".differences tr", has=page.get_by_role("rowheader", name="insert conversations"))
    expect(only_the_first.locator("td").nth(1)).to_have_text("\N{EN DASH}")
    page.get_by_label("Compare with").fill("no such trace")
    expect(page.get_by_text("There is no trace of that id.")).to_be_visible()


def test_now_and_metrics_say_what_the_app_says(page: Page, stack: Stack, viewer: Viewer) -> None:
    requests = int(stack.total("chatbot_api_requests_total"))
    wait_for(lambda: figure(viewer, "Requests") == requests, "the requests", 60)
    page.goto(f"{viewer.url}/now?window=0")
    named = {
        "Requests": f"{requests}",
        "Conversations": f"{int(stack.total('chatbot_conversations_created_total'))}",
        "Messages sent": f"{int(stack.total('chatbot_messages_sent_total'))}",
        "Messages received": f"{int(stack.total('chatbot_messages_received_total'))}",
        "Active users": f"{int(stack.total('chatbot_active_users'))}",
        "Database commands": f"{int(stack.total('chatbot_db_queries_total'))}",
    }
    for name, value in named.items():
        expect(page.locator(".figure", has=page.locator("dt", has_text=name)).locator("dd").first).to_have_text(value)
    page.goto(f"{viewer.url}/metrics/chatbot.response.time")
    expect(page.locator("tbody tr").first).to_be_visible()
    assert sum(series["count"] for series in viewer.ask("metrics/chatbot.response.time")["series"]) == requests
    instances = {series["instance"] for series in viewer.ask("metrics/chatbot.api.requests")["series"]}
    assert len(instances) == 1, "four workers are one app"


def figure(viewer: Viewer, name: str) -> float | None:
    [value] = [one["value"] for one in viewer.ask("now", window=0)["figures"] if one["title"] == name]
    return value


def test_what_happens_while_one_looks_appears_by_itself(page: Page, stack: Stack) -> None:
    page.get_by_role("link", name="Logs", exact=True).click()
    expect(page.locator(".lines li").first).to_be_visible()
    assert stack.get("/conversations?user_id=somebody-new").status == 200
    expect(page.locator(".lines .body").first).to_contain_text("GET /conversations 200")


def test_axe_finds_nothing_serious_on_any_page_nor_in_its_dark_colours(page: Page, viewer: Viewer, said: Said) -> None:
    trace = viewer.ask(f"conversations/{said.talk}")["timeline"][0]["trace"]
    found: dict[str, list[Any]] = {}
    more = {
        f"/conversations/{said.talk}": ".turn",
        f"/traces/{trace}": ".waterfall",
        "/metrics/chatbot.response.time": "tbody tr",
    }
    for path, content in (PAGES | more).items():
        page.goto(viewer.url + path)
        expect(page.locator(content).first).to_be_visible()
        told = Axe().run(page).response["violations"]
        if path in (f"/conversations/{said.talk}", "/logs", "/now"):  # which have all colours
            page.emulate_media(color_scheme="dark")
            told += Axe().run(page, options={"runOnly": ["color-contrast"]}).response["violations"]
            page.emulate_media(color_scheme="light")
        wrong = [(one["id"], one["nodes"][0]["html"]) for one in told if one["impact"] in ("serious", "critical")]
        found |= {path: wrong} if wrong else {}
    assert found == {}


def test_the_terminal_says_numbers_in_the_words_of_the_page(page: Page) -> None:
    values = [None, 0, 0.0004, 0.00123, 0.031, 0.5, 0.999, 1, 2.5, 12, 59.99, 75, 1234, 7300, 65536, 1234567.8912, 3145728]
    asked = [[value, unit] for unit in ("count", "s", "share", "usd", "health", "By") for value in values]
    told = page.evaluate(
        "async (asked) => { const { figure } = await import('/static/format.js'); return asked.map((one) => figure(...one)); }",
        asked,
    )
    assert [words.figure(*one) for one in asked] == told


PAGES = {
    "/now": ".figure", "/conversations": ".conversations a", "/traces": ".traces a", "/logs": ".lines li", "/errors": "main a",
    "/metrics": "main a", "/doctor": "h1",
}  # fmt: skip
"""The pages, each with what is there once it has its answer."""


def test_it_is_used_by_keyboard_alone_and_every_control_has_a_name(page: Page, viewer: Viewer, said: Said) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.locator("#filter-text").focus()
    page.keyboard.type(said.talk)
    expect(page.locator(".conversations a")).to_have_count(1)
    page.locator(".conversations a").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".turn")).to_have_count(3)
    page.locator(".row").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".details")).to_have_count(1)
    for path in (*PAGES, f"/conversations/{said.talk}"):
        page.goto(viewer.url + path)
        expect(page.locator("h1")).to_have_count(1)
        assert page.evaluate(NAMELESS) == [], path
    page.set_viewport_size({"width": 380, "height": 800})
    for path in ("/now", f"/conversations/{said.talk}", "/traces", "/logs"):
        page.goto(viewer.url + path)
        expect(page.locator("h1")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{path} is wider than a phone"


NAMELESS = """() => [...document.querySelectorAll('a, button, input, select, svg[role=img]')]
  .filter((each) => !(each.textContent.trim() || each.getAttribute('aria-label') || each.labels?.length)).map((each) => each.outerHTML)"""
"""Controls that a screen reader has no name for."""
