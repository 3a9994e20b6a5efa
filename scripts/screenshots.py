"""Pictures for the README and the documentation, made by Debian's Chromium: nothing in them is drawn by hand.

    python scripts/screenshots.py [--to docs/images]           (or: make pictures)
    python scripts/screenshots.py --url http://127.0.0.1:5000 --viewer http://127.0.0.1:4390 --logs .demo/logs

It starts the demo, or takes one that runs. People chat in it for a while; then it photographs the chat page, /metrics,
/health/ready, the log lines of one chat, the viewer's pages and `otel-chatbot top`. Text is shown as it was answered, on a plain
page of ours. Needs the requirements of the tests.
"""

from __future__ import annotations

import argparse
import html
import json
import re
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import viewer_pictures  # noqa: E402
from support.chat import ChatClient  # noqa: E402
from support.demo import Demo  # noqa: E402
from viewer_pictures import SCALE  # noqa: E402

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
    "chatbot_ai_response_time_seconds_count",
    "chatbot_ai_cost",
    "gen_ai_client_token_usage_sum",
    "chatbot_db_connections",
)
EACH = 3
"""Samples of a metric that are shown."""


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


def metrics_text(url: str) -> str:
    """Return some of /metrics, in the order in which they are listed above."""
    lines = [line for line in fetch(f"{url}/metrics").splitlines() if not line.startswith("#")]
    shown: list[str] = []
    for name in SHOWN_METRICS:
        found = [line for line in lines if line.startswith(name) and not line.endswith((" 0", " 0.0"))]
        shown += found[:EACH]
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
    parser = argparse.ArgumentParser(description="Pictures for the README and the documentation.")
    parser.add_argument("--url", help="of a demo that runs; without it, one is started")
    parser.add_argument("--viewer", default="http://127.0.0.1:4390", help="of that demo")
    parser.add_argument("--logs", type=Path, default=ROOT / ".demo" / "logs", help="of that demo")
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "images")
    arguments = parser.parse_args()
    arguments.to.mkdir(parents=True, exist_ok=True)
    with ExitStack() as opened:
        if arguments.url:
            url, seen, logs = arguments.url.rstrip("/"), arguments.viewer.rstrip("/"), arguments.logs
        else:
            demo = opened.enter_context(Demo(Path(opened.enter_context(tempfile.TemporaryDirectory()))))
            url, seen, logs = demo.url, demo.viewer.url, demo.home / "logs"
        playwright = opened.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        opened.callback(browser.close)
        take(browser, url, seen, logs, arguments.to)
    print(f"Pictures in {arguments.to}")


def take(browser: Browser, url: str, seen: str, logs: Path, to: Path) -> None:
    """All pictures of a demo at `url` whose viewer is at `seen`."""
    talk = viewer_pictures.chat_for_a_while(ChatClient(urlsplit(url).port or 80))
    page = browser.new_page(viewport={"width": 1180, "height": 760}, device_scale_factor=SCALE)
    chat(page, url)
    page.screenshot(path=to / "chat.png")
    page.close()
    time.sleep(1)  # the last records and points are on their way
    picture_of_text(browser, "GET /metrics", metrics_text(url), to / "metrics.png")
    health = json.loads(fetch(f"{url}/health/ready"))
    picture_of_text(browser, "GET /health/ready", json_text(health), to / "health.png", width=620)
    records = "\n".join(json_text(record, indent=None) for record in last_chat_records(logs))
    picture_of_text(browser, "chatbot.json.log", records, to / "logs.png")
    viewer_pictures.pictures(browser, seen, talk, to)
    viewer_pictures.terminal(browser, seen, to)


if __name__ == "__main__":
    main()
