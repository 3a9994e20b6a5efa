"""The viewer's page in a real browser, against `make demo` driven by a script: what each page shows is what the ledger says."""

from __future__ import annotations

import re
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect
from support.browser import page as browser_page
from support.demo import Demo
from support.model import Call
from support.process import wait_for
from support.proofs import record_proof
from support.script import Talking
from support.stack import Stack
from support.viewer import Page as Viewer

from otel_chatbot.ui.top import words

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"><b>bold</b>"
PATIENCE = 60_000
CONVERSATIONS, TRACES = 50, 100
"""Rows on a page of these lists."""


@dataclass
class Said:
    """What the script said, with its ledger: three conversations that the tests look at, beside all others."""

    script: Talking
    greeting: str
    talk: str
    calls: list[Call]
    """The model's calls of that conversation."""
    hostile: str
    failed: str

    @property
    def requests(self) -> int:
        return self.script.ledger.requests.total()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with Demo(tmp_path_factory.mktemp("demo")) as demo:
        yield demo


@pytest.fixture(scope="module")
def viewer(demo: Demo) -> Viewer:
    return demo.viewer


@pytest.fixture(scope="module")
def said(demo: Demo, scale: int) -> Said:
    """A conversation of three turns, a hostile one, one whose model fails; and rounds of all that the script can do."""
    script = Talking(demo)
    greeting = script.stream("hello", "ada")  # of an endpoint's first stream the tokens are estimated
    talk = script.chat("what is a trace?", "ada")
    script.chat("and a span?", "ada", conversation=talk)
    script.stream("what is a trace?", "ada", conversation=talk)
    wait_for(lambda: len(demo.calls()) == 4, "the calls in the model server's log", 60)
    calls = demo.calls()[1:]
    hostile = script.chat(HOSTILE, "ada")
    failed = script.refused("/fail 500", 500)
    for number in range(scale):
        for step in (script.talk, script.fail_calls, script.leave, script.look_around):
            step(number)
    return Said(script, greeting, talk, calls, hostile, failed)


def up_to_date(viewer: Viewer, said: Said) -> None:
    """The viewer has all that the script did so far."""
    wait_for(lambda: figure(viewer, "Requests") == said.requests, "the requests in the viewer", 60)
    wait_for(lambda: traces_of(viewer) == said.requests, "their traces", 60)


def figure(viewer: Viewer, name: str) -> float | None:
    [value] = [one["value"] for one in viewer.ask("now", window=0)["figures"] if one["title"] == name]
    return value


def traces_of(viewer: Viewer) -> int:
    """How many traces it has, page by page."""
    number, before = 0, ""
    while before is not None:
        page = viewer.ask("traces", before=before)
        number += len(page["traces"])
        before = page["before"]
    return number


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
    up_to_date(viewer, said)
    browser.set_viewport_size({"width": 1200, "height": 800})
    browser.goto(viewer.url)
    yield browser
    expect.set_options(timeout=5_000)


def strip(page: Page) -> dict[str, str]:
    """The figures over a conversation."""
    names = page.locator(".strip dt").all_inner_texts()
    return dict(zip(names, page.locator(".strip dd").all_inner_texts(), strict=True))


def shows(page: Page, rows: str, number: int, at_once: int) -> None:
    """A list has so many rows, once all of it was asked for."""
    expect(page.locator(rows).first).to_be_visible()
    for _ in range((number - 1) // at_once):
        page.get_by_role("button", name="Look further back").click()
    expect(page.locator(rows)).to_have_count(number)


def cells(row: Locator) -> tuple[str, ...]:
    return tuple(row.locator("td").all_inner_texts())


def test_now_says_what_the_ledger_says(page: Page, viewer: Viewer, said: Said) -> None:
    ledger = said.script.ledger
    for user in ledger.users:  # who was silent for five minutes is not active any more
        said.script.request("GET", f"/conversations?user_id={quote(user)}", "/conversations", 200)
    up_to_date(viewer, said)
    page.goto(f"{viewer.url}/now?window=0")
    talks = viewer.ask("conversations")["conversations"]
    expected = {
        "Requests": (said.requests, "count"),
        "Errors": (ledger.errors.total() / said.requests, "share"),
        "Active users": (len(ledger.users), "count"),
        "Conversations": (ledger.conversations, "count"),
        "Messages sent": (ledger.sent, "count"),
        "Messages received": (ledger.received, "count"),
        "Cache hits": (ledger.hits / (ledger.hits + ledger.misses), "share"),
    }
    if len(talks) < CONVERSATIONS:  # all of them
        expected["Tokens in"] = (sum(one["tokens_in"] for one in talks), "count")
        expected["Tokens out"] = (sum(one["tokens_out"] for one in talks), "count")
    for name, (value, unit) in expected.items():
        shown = page.locator(".figure", has=page.get_by_text(name, exact=True)).locator("dd").first
        expect(shown).to_have_text(words.figure(value, unit))


def test_lists_of_conversations_traces_and_log_lines_are_as_long_as_the_ledger_says(
    page: Page, viewer: Viewer, said: Said
) -> None:
    requests = said.script.ledger.requests
    shows(page, ".conversations a", said.script.ledger.conversations, CONVERSATIONS)
    page.goto(f"{viewer.url}/traces")
    shows(page, ".traces a", said.requests, TRACES)
    refused = sum(number for (_, _, status, _), number in requests.items() if status == 502)
    page.goto(f"{viewer.url}/traces?status=5")
    shows(page, ".traces a", refused, TRACES)
    page.goto(f"{viewer.url}/traces?route=/chat/stream")
    shows(page, ".traces a", sum(number for (_, route, *_), number in requests.items() if route == "/chat/stream"), TRACES)
    page.goto(f"{viewer.url}/logs?logger=chatbot.access&text=502")
    expect(page.locator(".lines .body", has_text=re.compile(" 502$"))).to_have_count(refused)


def test_a_metric_says_what_the_ledger_says_series_by_series(page: Page, viewer: Viewer, said: Said) -> None:
    expected: Counter[tuple[str, ...]] = Counter()
    for (method, route, status, _), number in said.script.ledger.requests.items():
        expected[tuple(filter(None, (method, str(status), route)))] += number
    page.goto(viewer.url)
    page.get_by_role("link", name="Metrics", exact=True).click()
    page.get_by_role("link", name="chatbot.api.requests").click()
    row = page.locator("tbody tr")
    expect(row.first).to_be_visible()
    shown = page.evaluate(SERIES)
    assert {tuple(labels): int(value.replace(",", "")) for labels, value in shown if labels} == expected
    page.goto(f"{viewer.url}/metrics/chatbot.response.time")
    expect(row.first).to_be_visible()
    counts = [int(cells(each)[0].replace(",", "")) for each in row.all()]
    assert sum(counts) == said.requests
    page.locator(".exemplars a").first.click()
    expect(page.locator(".waterfall")).to_be_visible()


SERIES = """() => [...document.querySelectorAll('tbody tr')].map((row) => [
  [...row.querySelectorAll('th .label')].map((label) => label.lastChild.textContent), row.querySelector('td').textContent])"""
"""The values of a series' attributes, and its own."""


def test_errors_are_counted_by_kind_as_the_ledger_counts_them(page: Page, viewer: Viewer, said: Said) -> None:
    ledger = said.script.ledger
    page.goto(f"{viewer.url}/errors")
    refused = sum(number for (_, _, status, _), number in ledger.requests.items() if status == 502)
    for kind, number in {**ledger.errors, "502": refused}.items():
        rows = page.locator(".errors li", has=page.locator("b", has_text=kind))
        expect(rows.first).to_be_visible()
        assert sum(int(times) for times in rows.locator(".times").all_inner_texts()) == number, kind


def test_the_doctor_tells_what_the_demo_was_started_with(page: Page, viewer: Viewer) -> None:
    page.goto(f"{viewer.url}/doctor")
    page.get_by_role("button", name="Look now").click()
    for told in ("OTEL_SERVICE_NAME=chatbot", "CHATBOT_OTEL_CAPTURE_CONTENT=True"):
        expect(page.locator(".findings li", has_text=told)).to_be_visible()


def test_a_conversation_shows_what_the_ledger_says_and_steps_through_time(page: Page, viewer: Viewer, said: Said) -> None:
    page.locator("#filter-text").fill(said.talk)
    expect(page.locator(".conversations a")).to_have_count(1)
    expect(page.locator(".conversations .first")).to_have_text("what is a trace?")
    page.get_by_text(said.talk).click()
    expect(page.locator(".turn")).to_have_count(3)
    expected = {
        "Turns": "3",
        "Model calls": str(len(said.calls)),
        "Tokens in": str(sum(call.prompt_tokens for call in said.calls)),
        "Tokens out": str(sum(call.completion_tokens for call in said.calls)),
        "Errors": "0",
    }
    shown = strip(page)
    assert {name: shown[name] for name in expected} == expected
    expect(page.locator(".turn .asked").first).to_have_text("what is a trace?")
    expect(page.locator(".turn .answered").first).to_have_text(Stack.answer("what is a trace?"))
    expect(page.locator(".turn").last.locator(".legend.first_chunk")).to_be_visible()

    scrubber = page.get_by_label("Moment of the conversation")
    scrubber.focus()
    page.keyboard.press("Home")
    assert strip(page)["Turns"] == "1"
    assert strip(page)["Tokens in"] == "0"
    expect(page.locator(".turn.later")).to_have_count(2)
    page.keyboard.press("End")
    assert strip(page) == shown
    expect(page.locator(".turn.later")).to_have_count(0)

    said.script.read(said.greeting)
    page.goto(f"{viewer.url}/conversations/{said.greeting}")
    expect(page.locator(".turn.aside")).to_contain_text("GET /conversations/<conversation_id>")
    assert strip(page)["Turns"] == "1", "who reads a conversation says nothing in it"


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
    expect(page.locator(".lines .body", has_text=re.compile(r"POST /chat(/stream)? 502"))).to_be_visible()
    page.locator(".lines .line.bad button, .lines button").first.click()
    expect(page.locator(".lines .details")).to_be_visible()


def test_the_conversations_of_a_user_are_found_by_the_hash_that_stands_for_it(page: Page, viewer: Viewer, said: Said) -> None:
    page.goto(f"{viewer.url}/conversations/{said.talk}")
    user = viewer.ask(f"conversations/{said.talk}")["user"]
    assert user not in (None, "ada")
    page.get_by_role("link", name=user).click()
    expect(page.locator("#filter-user")).to_have_value(user)
    expect(page.locator(".conversations a")).to_have_count(3)
    found = viewer.ask("conversations", user=user)["conversations"]
    assert {one["id"] for one in found} == {said.greeting, said.talk, said.hostile}


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


def test_what_is_said_while_one_looks_appears_by_itself(page: Page, said: Said, scale: int) -> None:
    """The seconds from an answer to its place on the page are a proof's figure: a busy machine decides over no test."""
    expect(page.locator(".conversations a").first).to_be_visible()
    seconds = []
    for number in range(2 * scale):
        talk = said.script.chat(f"are you there, {number}?", "a guest")
        answered = time.monotonic()
        expect(page.locator(".conversations .id").first).to_have_text(talk)
        seconds.append(time.monotonic() - answered)
    page.get_by_role("link", name="Logs", exact=True).click()
    expect(page.locator(".lines li").first).to_be_visible()
    said.script.request("GET", "/conversations?user_id=somebody-new", "/conversations", 200)
    said.script.ledger.users.add("somebody-new")
    expect(page.locator(".lines .body").first).to_contain_text("GET /conversations 200")
    record_proof(
        "From an answer of the demo to its place on the viewer's page",
        answers=len(seconds), median_seconds=round(statistics.median(seconds), 2), most_seconds=round(max(seconds), 2),
    )  # fmt: skip


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
