"""Prints numbered steps for people, and writes the same as JSON lines for machines.

    run = Run("deploy", total=6, log=home.path / "operate.jsonl")
    with run.step("Check the Python environment") as say:
        say("3.11.7")                       # [2/6] Check the Python environment: 3.11.7 (0.1 s)

Fed by deploy.py and rollback.py; feeds the terminal and operate.jsonl.
"""

from __future__ import annotations

import datetime as dt
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from layout import OperateError

DONE, FAILED, MISUSE, NOT_PUT_BACK, DECLINED = 0, 1, 2, 3, 4
"""Exit codes: all is done; it failed and all is as before; wrong arguments; a person is needed; the answer was no."""


class Run:
    """One run of a script. With `log=None` (a dry run) nothing is written."""

    def __init__(self, action: str, total: int, log: Path | None) -> None:
        self._action = action
        self._total = total
        self._log = log
        self._number = 0

    @contextmanager
    def step(self, title: str) -> Iterator[Callable[[str], None]]:
        """Print one step with its result and time, also when it fails; `say` is for the result."""
        self._number += 1
        said: list[str] = []
        print(f"[{self._number}/{self._total}] {title}", end="", flush=True)
        started = time.monotonic()
        result = "failed"
        try:
            yield said.append
            result = "ok"
        except KeyboardInterrupt:
            result = "interrupted"
            raise
        except OperateError as error:
            said.append(str(error))
            raise
        finally:
            seconds = time.monotonic() - started
            shown = "; ".join(filter(None, said))
            head = "" if result == "ok" else f"{result.upper()}{': ' if shown else ''}"
            print(f": {head}{shown or ('ok' if result == 'ok' else '')} ({seconds:.1f} s)", flush=True)
            self.note(step=self._number, title=title, result=result, seconds=round(seconds, 3), detail=shown)

    def note(self, **what: Any) -> None:
        """Add a line to the log."""
        if self._log is None:
            return
        now = dt.datetime.now(dt.timezone.utc).isoformat(timespec="milliseconds")
        try:
            self._log.parent.mkdir(parents=True, exist_ok=True)
            with self._log.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"time": now, "action": self._action, **what}) + "\n")
        except OSError as error:  # a full disk, say: the failed step reports it, and the log must not hide that
            print(f"\n      {self._log} cannot be written: {error.strerror}", file=sys.stderr)


def guarded(run: Run, main: Callable[[], int]) -> int:
    """Run a script's body. Errors become a message and an exit code; a signal becomes an interruption with a clean-up."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    try:
        code = main()
    except OperateError as error:
        print(f"\n{error}", file=sys.stderr)
        if error.remedy:
            print(f"What to do: {error.remedy}", file=sys.stderr)
        run.note(result="failed", detail=str(error), remedy=error.remedy, code=error.code)
        return error.code
    except KeyboardInterrupt:
        print("\nInterrupted; everything is as it was.", file=sys.stderr)
        run.note(result="interrupted", code=FAILED)
        return FAILED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"\n{where}{error.strerror or error}\nWhat to do: Check rights and free space there.", file=sys.stderr)
        run.note(result="failed", detail=str(error), code=FAILED)
        return FAILED
    run.note(result={DONE: "done", DECLINED: "declined"}.get(code, "failed"), code=code)
    return code


def confirmed(question: str, *, yes: bool) -> bool:
    """Ask a person. `--yes` answers for them; without a terminal the answer is no."""
    if yes:
        return True
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        print()
        return False
