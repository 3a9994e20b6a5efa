"""Debian's Chromium, driven by Playwright's Python client: pages as people see them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, sync_playwright

from .process import program


@contextmanager
def page(width: int = 1200, height: int = 800) -> Iterator[Page]:
    """A page of a headless Chromium; an error that no script of the page caught fails the test."""
    chromium = program("chromium", "install Debian's chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            found = browser.new_page(viewport={"width": width, "height": height})
            found.set_default_timeout(10_000)
            uncaught: list[str] = []
            found.on("pageerror", lambda error: uncaught.append(str(error)))
            yield found
            assert not uncaught, uncaught
        finally:
            browser.close()
