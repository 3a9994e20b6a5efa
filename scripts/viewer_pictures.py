"""Pictures of the viewer: a while of chats in a running demo, then its pages in light, in dark and on a phone, and the terminal.

Fed by `screenshots.py`, which starts the demo and the browser.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
from pathlib import Path
from urllib.request import urlopen

from playwright.sync_api import Browser, Page
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.chat import ChatClient  # noqa: E402
from support.process import program, wait_for  # noqa: E402
from support.terminal import Terminal  # noqa: E402

SCALE = 2
"""Pixels per point: sharp on today's screens."""
DESK, PHONE = (1180, 820), (390, 780)
COLUMNS, LINES = 112, 34
"""The size of the terminal."""
TALKS = {
    "ada": ("What is a trace?", "And what is a span in it?", "Which of them shows a slow query?", "Thank you. /slow 1"),
    "grace": ("How do I find a slow request?", "When does a cache pay off?"),
    "alan": ("What is a trace?", "Does an index help here?", "How long is too long? /wait 1"),
    "mary": ("Tell me about cost. /chunks 120 /slow 2",),
    "tim": ("What is a trace?",),
    "joan": ("Is the model well? /fail 429",),
    "edsger": ("Will this answer end? /cut",),
}
"""The users and their questions. A question that another user has asked before is answered from the cache."""
INK, PAPER = "223;227;243", "27;29;34"
TERMINAL = TerminalTheme(
    (27, 29, 34),
    (223, 227, 243),
    [
        (27, 29, 34),
        (255, 143, 133),
        (111, 206, 149),
        (226, 180, 92),
        (147, 165, 204),
        (169, 153, 242),
        (88, 196, 187),
        (223, 227, 243),
    ],
    [
        (139, 145, 167),
        (255, 143, 133),
        (111, 206, 149),
        (226, 180, 92),
        (147, 165, 204),
        (169, 153, 242),
        (88, 196, 187),
        (255, 255, 255),
    ],
)
"""Its paper, its ink and its colours."""
SCREEN = """<!doctype html><meta charset="utf-8"><style>
  body {{ margin: 0; padding: 22px; background: #eef0f7; width: max-content; }}
  pre {{ margin: 0; padding: 14px 18px; border-radius: 10px; background: #1b1d22; color: #dfe3f3;
         font: 13px/1.42 "DejaVu Sans Mono", monospace; box-shadow: 0 8px 30px rgb(20 24 50 / 18%); }}
</style><pre>{code}</pre>"""


def chat_for_a_while(client: ChatClient) -> str:
    """Hold the conversations of `TALKS`, streamed, in turn; the id of the longest."""
    client.stream("hello", user_id="niels")  # the first request waits while the app imports its clients
    known: dict[str, str] = {}
    for place in range(max(map(len, TALKS.values()))):
        for user, questions in TALKS.items():
            if place >= len(questions):
                continue
            more = {"conversation_id": known[user]} if user in known else {}
            if "/fail" in questions[place]:
                client.chat(questions[place], user_id=user)
            else:
                known[user] = client.stream(questions[place], user_id=user, **more)[0].data["conversation_id"]
    client.get("/health/ready")
    return known["ada"]


def ask(url: str, path: str) -> dict[str, object]:
    """The viewer's answer."""
    with urlopen(f"{url}/api/{path}", timeout=30) as answer:
        found: dict[str, object] = json.load(answer)
        return found


def pictures(browser: Browser, url: str, talk: str, to: Path) -> None:
    """Take all pictures. `talk` is the conversation that is shown."""
    wait_for(lambda: len(ask(url, f"conversations/{talk}")["timeline"]) == len(TALKS["ada"]), "the conversation", 60)  # type: ignore[arg-type]
    [*_, last] = ask(url, f"conversations/{talk}")["timeline"]  # type: ignore[misc]
    for scheme, name in (("light", "viewer"), ("dark", "viewer-dark")):
        page = browser.new_page(viewport=size(DESK), device_scale_factor=SCALE, color_scheme=scheme)  # type: ignore[arg-type]
        half_way(page, f"{url}/conversations/{talk}")
        page.screenshot(path=to / f"{name}.png")
        page.close()
    page = browser.new_page(viewport=size(DESK), device_scale_factor=SCALE)
    for name, path, shown in (
        ("now", "/now?window=300", ".chart path.line"),
        ("conversations", "/conversations", ".conversations a"),
        ("trace", f"/traces/{last['trace']}", ".waterfall .model"),  # type: ignore[index]
        ("metric", "/metrics/chatbot.ai.response.time?window=300", "tbody tr"),
    ):
        page.goto(url + path)
        page.locator(shown).first.wait_for()
        if name == "trace":
            page.locator(".waterfall .mongodb .row").nth(1).click()
        page.mouse.move(5, 5)
        page.screenshot(path=to / f"viewer-{name}.png")
    page.set_viewport_size(size(PHONE))
    half_way(page, f"{url}/conversations/{talk}")
    page.screenshot(path=to / "viewer-phone.png")
    page.close()


def size(points: tuple[int, int]) -> dict[str, int]:
    """The size in Playwright's form."""
    return dict(zip(("width", "height"), points, strict=True))


def half_way(page: Page, address: str) -> None:
    """Step to the moment of a conversation at which its third turn is under way."""
    page.goto(address)
    scrubber = page.get_by_label("Moment of the conversation")
    page.locator(".turn").first.wait_for()
    scrubber.fill(str(int(scrubber.get_attribute("max") or 0) * 3 // 10))
    page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")


def terminal(browser: Browser, url: str, to: Path) -> None:
    """`otel-chatbot top` in a real terminal, in its own colours."""
    command = (sys.executable, program("otel-chatbot", "run `make setup`"), "top", "--viewer", url)
    with tempfile.TemporaryDirectory() as folder, Terminal(Path(folder), *command, width=COLUMNS, height=LINES) as one:
        one.wait("Requests", "gpt-4o-mini", "RateLimitError")
        screen = one.coloured()
    console = Console(width=COLUMNS, record=True, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for default, known in (("39", f"38;2;{INK}"), ("49", f"48;2;{PAPER}")):  # what is shown in reverse needs to know both
        screen = screen.replace(f"\x1b[{default}m", f"\x1b[{known}m")
    text = Text.from_ansi(screen.rstrip("\n"))
    console.print(text, no_wrap=True, crop=False)
    code = console.export_html(theme=TERMINAL, code_format="{code}", inline_styles=True)
    page = browser.new_page(viewport={"width": 1200, "height": 300}, device_scale_factor=1.5)
    page.set_content(SCREEN.format(code=code))
    page.locator("body").screenshot(path=to / "top.png")
    page.close()
