"""What a scenario is, and how a driver enters the table: a client's interface, asked in a mode of the model server.

A driver imports its client itself, late: the table is read where no client is installed.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

TODAY, OLDER = "clients", "clients-older"
"""The environments: requirements/clients.txt has today's releases, clients-older.txt those that cannot live beside them."""

PLAIN = ("plain", "refused", "fails", "late", "closed", "garbage")
WIDE = (*PLAIN, "unavailable", "gzip", "html")
"""For a client's main interface also what differs by transport alone."""
STREAM = ("plain", "refused", "fails", "late", "closed", "garbage")
WIDE_STREAM = (*STREAM, "gzip", "split")
SOUND = ("plain", "gzip", "split", "refused", "unavailable", "left")
"""The modes in which the app gets what it wants."""


@dataclass(frozen=True)
class Prompt:
    """What a driver asks, whom, and how patiently."""

    url: str
    grpc: str
    mode: str
    tag: str

    @classmethod
    def of(cls, scenario: Scenario, addresses: dict[str, str]) -> Prompt:
        """The prompt of a scenario, to the servers at these addresses."""
        return cls(addresses["url"], addresses.get("grpc", ""), scenario.mode, f"{scenario.client}.{scenario.interface}")

    def words(self, more: str = "") -> str:
        """The question. `more` sets several calls of one scenario apart."""
        return f"Say one sentence. wires:{self.mode}:{self.tag}{more}"

    @property
    def text(self) -> str:
        return self.words()

    @property
    def messages(self) -> list[Any]:
        return [{"role": "user", "content": self.text}]

    @property
    def timeout(self) -> float:
        """Seconds. A late answer never comes, so a short wait is enough; any other must not depend on the clock."""
        return 0.4 if self.mode == "late" else 60.0

    @property
    def retries(self) -> int:
        """How often a client may try again: each further try of a late answer would wait once more."""
        return 0 if self.mode == "late" else 2 if self.mode in ("refused", "unavailable") else 1


@dataclass
class Got:
    """What the app got: its text, the token counts as the client's own objects tell them (None: they do not), the objects."""

    text: str = ""
    input: int | None = None
    output: int | None = None
    objects: Any = field(default_factory=list)


@dataclass(frozen=True)
class Scenario:
    """One row of the table. `joined`: the client tries again by itself, and its attempts are one call."""

    client: str
    interface: str
    mode: str
    env: str
    streamed: bool
    joined: bool
    run: Callable[[Prompt], Got]
    calls: int
    raises: bool

    @property
    def name(self) -> str:
        return f"{self.client}-{self.interface}-{self.mode}"


TABLE: list[Scenario] = []


class Loop:
    """An event loop on a thread of its own, made when first needed."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=self._loop.run_forever, daemon=True).start()
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


LOOP = Loop()


def drives(
    client: str,
    interface: str,
    *,
    modes: tuple[str, ...] | None = None,
    streamed: bool = False,
    retries: bool = True,
    calls: int = 1,
    env: str = TODAY,
    raises: bool = True,
    shared_loop: bool = False,
) -> Callable[[Callable[[Prompt], Any]], Callable[[Prompt], Any]]:
    """Enter a driver into the table, once per mode.

    `retries`: the client tries again by itself; else the app asks once more, which is two calls. `raises`: a refusal is an
    exception of the client, and not an answer with a status. `shared_loop`: the client keeps connections for the whole process,
    so that all its async scenarios need one event loop.
    """

    def enter(function: Callable[[Prompt], Any]) -> Callable[[Prompt], Any]:
        def run(prompt: Prompt) -> Got:
            made = function(prompt)
            if inspect.iscoroutine(made):
                made = LOOP.run(made) if shared_loop else asyncio.run(made)
            got: Got = made
            return got

        for mode in modes or (STREAM if streamed else PLAIN):
            if mode in ("refused", "unavailable") and not retries and calls == 1:
                continue  # the client would give up: as `fails`
            TABLE.append(Scenario(client, interface, mode, env, streamed, retries, run, calls, raises))
        return function

    return enter
