"""The page's files: only those of the package's table, by their own paths, and one page for every view."""

from __future__ import annotations

import re

import pytest

from otel_chatbot.ui.pages import VIEWS, Pages

PAGES = Pages()


def text(path: str) -> str:
    found = PAGES.find(path)
    assert found is not None
    return found[0].decode()


@pytest.mark.parametrize("path", ["/", *(f"/{view}" for view in VIEWS), "/conversations/a%2Fb", "/traces/0123/more"])
def test_every_view_is_the_same_page(path: str) -> None:
    found = PAGES.find(path)
    assert found is not None
    assert found[1] == "text/html; charset=utf-8"
    assert found == PAGES.find("/static/index.html")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/static/main.js", "text/javascript; charset=utf-8"),
        ("/static/style.css", "text/css; charset=utf-8"),
        ("/static/icon.svg", "image/svg+xml"),
    ],
)
def test_a_file_has_the_type_of_its_name(path: str, kind: str) -> None:
    found = PAGES.find(path)
    assert found is not None
    assert found[1] == kind


@pytest.mark.parametrize(
    "path",
    [
        "/static/",
        "/static/../pages.py",
        "/static/..%2Fpages.py",
        "/static/main.js/",
        "/pages.py",
        "/api/now",
        "/etc/passwd",
        "",
    ],
)
def test_nothing_else_is_served(path: str) -> None:
    assert PAGES.find(path) is None


def test_what_the_page_and_its_scripts_ask_for_is_there() -> None:
    asked = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', text("/")))
    scripts = {path for path in PAGES._files if path.endswith(".js")}
    for script in scripts:
        asked |= {f"/static/{name}" for name in re.findall(r'from "\./([^"]+)"', text(script))}
    assert asked >= {"/static/main.js", "/static/style.css"}
    assert [path for path in asked if PAGES.find(path) is None] == []


def test_every_view_of_the_script_is_an_address_of_the_page() -> None:
    [listed] = re.findall(r"const VIEWS = \{([^}]*)\}", text("/static/main.js"))
    assert {name.strip() for name in listed.split(",")} == {*VIEWS}
