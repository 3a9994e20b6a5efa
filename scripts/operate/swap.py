"""Exchanges a service's parts: the new ones are prepared beside the old ones and renamed into place; the old are kept first.

    with Swap(home) as swap:
        unpack(archive, swap.new)
        swap.exchange(("app", "release.json"))
        ...verify...
        swap.commit()                      # without it, leaving puts everything back

Fed by `switch`; feeds the service's folder. A journal records each exchange. After a kill at any moment, `recover` puts the
old parts back, or finishes the clean-up of an exchange that was committed.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from layout import Home, OperateError, write


class Swap:
    """One exchange at a time in a service's folder."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self.new = home.swap / "new"
        """The folder in which the new parts are prepared."""
        self._old = home.swap / "old"
        self.journal = home.swap / "journal.json"
        """The record of the exchange that was begun."""

    def __enter__(self) -> Swap:  # noqa: PYI034 - typing.Self is not in Python 3.10
        if self.journal.exists():
            raise OperateError("An interrupted exchange was not cleaned up.", "Run the script again: it recovers first.")
        shutil.rmtree(self._home.swap, ignore_errors=True)
        self.new.mkdir(parents=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.put_back()

    def exchange(self, parts: Sequence[str], *, was_running: bool) -> None:
        """Rename the present parts away and the new ones into place; a part without a new version is removed."""
        had = [name for name in parts if self._home.part(name).exists()]
        self._old.mkdir(exist_ok=True)
        write(self.journal, json.dumps({"parts": list(parts), "had": had, "was_running": was_running, "done": False}))
        for name in parts:
            if name in had:
                os.rename(self._home.part(name), self._old / name)
            if (self.new / name).exists():
                os.rename(self.new / name, self._home.part(name))

    def commit(self) -> None:
        """Keep the new parts for good."""
        if self.journal.exists():
            write(self.journal, json.dumps({**self.read(), "done": True}))
        self._clean_up()

    def put_back(self) -> None:
        """Undo the exchange as far as it went; after `commit`, do nothing."""
        if not self.journal.exists():
            self._clean_up()
            return
        journal = self.read()
        if not journal["done"]:
            for name in reversed(journal["parts"]):
                here, kept = self._home.part(name), self._old / name
                if kept.exists() or name not in journal["had"]:
                    self.new.mkdir(exist_ok=True)
                    if here.exists():
                        os.rename(here, self.new / name)
                    if kept.exists():
                        os.rename(kept, here)
        self._clean_up()

    def read(self) -> dict[str, Any]:
        """The journal: the parts, the parts that existed before, whether the service ran, whether all is done."""
        journal: dict[str, Any] = json.loads(self.journal.read_text(encoding="utf-8"))
        return journal

    def _clean_up(self) -> None:
        for folder in (self.new, self._old):
            shutil.rmtree(folder, ignore_errors=True)
        self.journal.unlink(missing_ok=True)  # last: so a killed clean-up is completed the next time
        shutil.rmtree(self._home.swap, ignore_errors=True)


def recover(home: Home) -> str:
    """Repair what a killed run left behind.

    Returns "" if it left nothing, "finished" if only the clean-up was missing. Else the old parts are back: "restart" if the
    service ran before, "stopped" if not.
    """
    swap = Swap(home)
    if not swap.journal.exists():
        shutil.rmtree(home.swap, ignore_errors=True)
        return ""
    journal = swap.read()
    swap.put_back()
    if journal["done"]:
        return "finished"
    return "restart" if journal["was_running"] else "stopped"


def shown(size: float) -> str:
    """A number of bytes for people."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def size_of(path: Path) -> int:
    """Bytes of a file or of all files in a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.lstat().st_size for file in path.rglob("*") if not file.is_dir())
