"""What a request costs under each side, as CPU time of the app's process, and what that is beyond the bare app.

    python benchmarks/request_cost.py [--rounds 15] [--requests 500]

Every side is a process of its own that is driven in rounds, one side after the other; see `apps/driven.py`. Exports go to
`sink.py`. The chat turn talks to a real Redis, to `mongo.py` and to the model server of the example, each a process.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import environment as e
from figures import Row, alternate, row, spread

sys.path.insert(0, str(e.ROOT / "tests"))

HELLO = (e.BARE, e.OURS, e.STOCK, e.OURS_WITH_LOGS, e.PROMETHEUS, e.LOGFIRE, e.ELASTIC)
UNSAMPLED = tuple(map(e.unsampled, (e.BARE, e.OURS, e.STOCK, e.OURS_WITH_LOGS)))
CHAT = (e.BARE, e.OURS, e.STOCK)
EQUAL = (e.BARE, e.OURS_EQUAL, e.STOCK)


class Driven:
    """An app under a side, warmed up, that runs requests when it is asked to."""

    def __init__(self, side: e.Side, env: Mapping[str, str], folder: Path, requests: int) -> None:
        self.requests = requests
        self.log = folder / f"{side.name.split()[0]}.stderr"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                side.command(str(e.HERE / "apps" / "driven.py")), env=dict(env), cwd=folder, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        self._read()

    def run(self) -> float:
        """Run one round; return microseconds of CPU per request."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{self.requests}\n")
        self.process.stdin.flush()
        return float(self._read()["cpu"])

    def _read(self) -> dict[str, float]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args} ended:\n{self.log.read_text()[-3000:]}")
        return json.loads(line)  # type: ignore[no-any-return]

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextmanager
def server(program: str) -> Iterator[str]:
    """The address of a running server of the benchmarks."""
    process = subprocess.Popen([sys.executable, str(e.HERE / program)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait()


@contextmanager
def sink() -> Iterator[str]:
    """The address of a running OTLP sink."""
    with server("sink.py") as address:
        yield f"http://{address}"


@contextmanager
def servers(folder: Path, delay: float = 0.0) -> Iterator[dict[str, str]]:
    """MongoDB, Redis and the model, and the environment that names them."""
    from support.model import ModelServer
    from support.servers import RedisServer

    with (
        server("mongo.py") as mongo,
        RedisServer(folder / "redis") as redis,
        ModelServer(folder / "model", delay) as model,
    ):
        yield {
            "MONGODB_URI": f"mongodb://{mongo}/",
            "REDIS_URL": redis.url,
            "OPENAI_BASE_URL": model.url,
            "OPENAI_API_KEY": "local",
        }


def measure(
    sides: Sequence[e.Side], rounds: int, requests: int, more: Mapping[str, str] | None = None
) -> dict[str, list[float]]:
    """Microseconds of CPU per request of every side, one figure per round."""
    with ExitStack() as stack:
        endpoint = stack.enter_context(sink())
        driven: dict[str, Driven] = {}
        for side in sides:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
            env = side.environment(endpoint, folder, **(more or {}))
            driven[side.name] = Driven(side, env, folder, requests)
            stack.callback(driven[side.name].end)
        alternate({name: app.run for name, app in driven.items()}, 2)  # warm
        return alternate({name: app.run for name, app in driven.items()}, rounds)


def added(
    what: str, found: Mapping[str, list[float]], goal: float | None, peer: str = e.STOCK.name, ours: str = e.OURS.name
) -> Row:
    """The row that compares the costs that two sides add to the bare app."""
    bare = found[e.BARE.name]
    mine = [one - base for one, base in zip(found[ours], bare, strict=True)]
    theirs = [one - base for one, base in zip(found[peer], bare, strict=True)]
    return row(what, "µs of CPU added", peer, list(zip(mine, theirs, strict=True)), goal)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--only", choices=("hello", "unsampled", "chat"))
    chosen = parser.parse_args()
    e.prepare()
    for name, sides in (("hello", HELLO), ("unsampled", UNSAMPLED)):
        if chosen.only in (None, name):
            report(name, measure(sides, chosen.rounds, chosen.requests))
    if chosen.only in (None, "chat"):
        with tempfile.TemporaryDirectory() as folder, servers(Path(folder)) as addresses:
            report("chat", measure(CHAT, chosen.rounds, max(10, chosen.requests // 5), {**addresses, "VIEW": "chat"}))


def report(name: str, found: Mapping[str, list[float]]) -> None:
    for side, values in found.items():
        low, median, high = spread(values)
        print(f"{name:10} {side:42} {median:9.1f} µs   {low:.1f} to {high:.1f}")
    compared = added(name, found, None)
    print(
        f"{name:10} added: ours {compared.ours:.1f}, stock {compared.peer:.1f}, ratio {compared.ratio:.2f} ({compared.low:.2f} to {compared.high:.2f})"
    )


if __name__ == "__main__":
    main()
