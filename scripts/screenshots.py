"""Pictures of a running demo for the README, made with Debian's Chromium; nothing is drawn by hand.

    python scripts/screenshots.py [--url http://127.0.0.1:5000] [--logs .demo/logs] [--to docs/images]

It chats a little (answers, and one that fails), and photographs the chat page, /metrics, /health/ready, the log lines of
one chat and the viewer. Texts are shown as the app answered them, on a plain page. Needs the package playwright.
"""

from __future__ import annotations

import argparse
import html
import json
import re
import shutil
import time
from pathlib import Path
from urllib.request import urlopen

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
SCALE = 2
"""Pixels per point: sharp on today's screens."""

TEXT_PAGE = """<!doctype html><meta charset="utf-8"><style>
  body {{ margin: 0; padding: 28px; background: #eef0f7; font: 14px/1.5 system-ui, "DejaVu Sans", sans-serif; }}
  figure {{ margin: 0; border-radius: 12px; overflow: hidden; background: #fff; box-shadow: 0 8px 30px rgb(20 24 50 / 14%); }}
  figcaption {{ padding: 11px 18px; background: #1f2333; color: #dfe3f5; font-weight: 600; }}
  pre {{ margin: 0; padding: 16px 18px; font: 13px/1.55 "DejaVu Sans Mono", monospace; white-space: pre-wrap;
         overflow-wrap: anywhere; color: #23283c; }}
  .key {{ color: #4353d8; }} .value {{ color: #0b7a52; }} .soft {{ color: #8b91a7; }}
</style><figure><figcaption>{title}</figcaption><pre>{text}</pre></figure>"""

SHOWN_METRICS = (
    "chatbot_conversations_created_total",
    "chatbot_messages_sent_total",
    "chatbot_messages_received_total",
    "chatbot_cache_hits_total",
    "chatbot_cache_misses_total",
    "chatbot_errors_total",
    "chatbot_active_users",
    "chatbot_ai_response_time_seconds_sum",
    "chatbot_ai_response_time_seconds_count",
    "chatbot_ai_cost",
    "gen_ai_client_token_usage_sum",
    "chatbot_db_connections",
)


def chat(page: Page, url: str) -> None:
    """Hold a conversation on the page, and leave it in view."""
    page.goto(url)
    question = "What is the difference between a trace and a metric?"
    for message in (question, question, "And when does a cache pay off?"):  # the second time from the cache
        page.get_by_role("button", name="New conversation").click()
        say(page, message)
    say(page, "Why was that answer slow? /slow 2")
    say(page, "What happens when the model fails? /fail 500")
    page.mouse.move(700, 20)
    page.evaluate("document.activeElement.blur()")


def say(page: Page, message: str) -> None:
    """Send a message, and wait until it is answered."""
    page.get_by_label("Your message").fill(message)
    page.keyboard.press("Enter")
    page.locator(".message.user", has_text=message).last.wait_for()
    page.get_by_role("button", name="Send", exact=True).wait_for(timeout=30_000)


def fetch(url: str) -> str:
    """Return the text of a page."""
    with urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def picture_of_text(browser: Browser, title: str, marked_up: str, path: Path, width: int = 1000) -> None:
    """Photograph text under a title."""
    page = browser.new_page(viewport={"width": width, "height": 200}, device_scale_factor=SCALE)
    page.set_content(TEXT_PAGE.format(title=html.escape(title), text=marked_up))
    page.screenshot(path=path, full_page=True)
    page.close()


def viewer(browser: Browser, url: str, to: Path) -> None:
    """Photograph the viewer: the longest conversation, half-way through, and the page Now."""
    page = browser.new_page(viewport={"width": 1180, "height": 820}, device_scale_factor=SCALE)
    found = json.loads(fetch(f"{url}/api/conversations"))["conversations"]
    page.goto(f"{url}/conversations/{max(found, key=lambda each: each['turns'])['id']}")
    scrubber = page.get_by_label("Moment of the conversation")
    page.locator(".turn").first.wait_for()
    scrubber.fill(str(int(scrubber.get_attribute("max") or 0) * 3 // 10))
    page.evaluate("window.scrollTo(0, 0)")
    page.screenshot(path=to / "viewer.png")
    page.goto(f"{url}/now?window=0")
    page.locator(".chart").first.wait_for()
    page.screenshot(path=to / "viewer-now.png")
    page.close()


def metrics_text(url: str) -> str:
    """Return some of /metrics, in the order in which they are listed above."""
    lines = [line for line in fetch(f"{url}/metrics").splitlines() if not line.startswith("#")]
    shown = [line for name in SHOWN_METRICS for line in lines if line.startswith(name) and not line.endswith((" 0", " 0.0"))]
    marked = []
    for line in shown:
        name, _, value = line.rpartition(" ")
        marked.append(f'<span class="key">{html.escape(name)}</span> <span class="value">{html.escape(value)}</span>')
    rest = f'<span class="soft"># … {len(lines) - len(shown)} further samples</span>'
    return "\n".join([*marked, rest])


def json_text(value: object, indent: int | None = 2) -> str:
    """Return JSON with its keys marked."""
    text = html.escape(json.dumps(value, indent=indent, ensure_ascii=False), quote=False)
    return re.sub(r'("[\w.]+"): ', r'<span class="key">\1</span>: ', text)


def last_chat_records(logs: Path) -> list[dict[str, object]]:
    """Return the records of the last chat that was answered: the app's own line and the access record, of one trace."""
    records = [json.loads(line) for line in (logs / "chatbot.json.log").read_text().splitlines()]
    answered = [record for record in records if record["message"] == "Answered" and "trace_id" in record]
    trace = answered[-1]["trace_id"]
    return [record for record in records if record.get("trace_id") == trace]


def main() -> None:
    """Make the pictures."""
    parser = argparse.ArgumentParser(description="Pictures of a running demo for the README.")
    parser.add_argument("--url", default="http://127.0.0.1:5000")
    parser.add_argument("--viewer", default="http://127.0.0.1:4390")
    parser.add_argument("--logs", type=Path, default=ROOT / ".demo" / "logs")
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "images")
    arguments = parser.parse_args()
    url = arguments.url.rstrip("/")
    arguments.to.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1180, "height": 760}, device_scale_factor=SCALE)
        chat(page, url)
        page.screenshot(path=arguments.to / "chat.png")
        time.sleep(1)  # the last records and points are on their way
        picture_of_text(browser, "GET /metrics", metrics_text(url), arguments.to / "metrics.png")
        health = json.loads(fetch(f"{url}/health/ready"))
        picture_of_text(browser, "GET /health/ready", json_text(health), arguments.to / "health.png", width=620)
        records = "\n".join(json_text(record, indent=None) for record in last_chat_records(arguments.logs))
        picture_of_text(browser, "chatbot.json.log", records, arguments.to / "logs.png")
        viewer(browser, arguments.viewer.rstrip("/"), arguments.to)
        browser.close()
    print(f"Six pictures in {arguments.to}")


if __name__ == "__main__":
    main()
