"""What a request that asks no model costs more under the package, in instructions of the processor: `valgrind` counts them.

    python benchmarks/other_requests.py [--calls 40] [--clients httpx aiohttp]

Instructions do not depend on what else the machine does. Each client posts JSON to a server in another process, bare and with
the instrumentation of AI calls in, each side in a process of its own; only the calls are counted, after some to warm up.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import environment as e
from figures import Row

CLIENTS = ("httpx", "requests", "aiohttp", "urllib3", "http.client")
GOAL = 1.01
BODY = b'{"order": 1}'


class Handler(BaseHTTPRequestHandler):
    """Answers anything."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response_only(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Nothing."""


def caller(client: str, url: str) -> Callable[[], object]:
    """One post by a client."""
    if client == "httpx":
        import httpx

        httpx_client = httpx.Client(trust_env=False)
        return lambda: httpx_client.post(url, content=BODY)
    if client == "requests":
        import requests

        session = requests.Session()
        session.trust_env = False
        return lambda: session.post(url, data=BODY)
    if client == "urllib3":
        import urllib3

        pool = urllib3.PoolManager()
        return lambda: pool.request("POST", url, body=BODY)
    if client == "aiohttp":
        return by_aiohttp(url)
    from http.client import HTTPConnection

    place, _, path = url.removeprefix("http://").partition("/")
    connection = HTTPConnection(place)

    def post() -> bytes:
        connection.request("POST", f"/{path}", BODY)
        return connection.getresponse().read()

    return post


def by_aiohttp(url: str) -> Callable[[], object]:
    import asyncio

    import aiohttp

    loop = asyncio.new_event_loop()

    async def open_session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession()

    session = loop.run_until_complete(open_session())

    async def post() -> bytes:
        async with session.post(url, data=BODY) as answer:
            return await answer.read()

    return lambda: loop.run_until_complete(post())


def child(client: str, side: str, url: str, calls: int) -> None:
    """The child that runs under valgrind: only the calls between the two marks are counted."""
    import gc

    post = caller(client, url)
    if side == "ours":
        from otel_chatbot.instrumentation.genai import hooks

        hooks.instrument()
    for _ in range(60):
        post()
    gc.collect()
    gc.disable()
    control("--instr=on")
    for _ in range(calls):
        post()
    control("--instr=off")


def control(what: str) -> None:
    import os

    subprocess.run(["callgrind_control", what, str(os.getpid())], check=True, stdout=subprocess.DEVNULL, timeout=120)


def instructions(client: str, side: str, url: str, calls: int) -> float:
    """Instructions per call."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={folder}/out"]
        own = [str(e.BIN / "python"), __file__, "--child", client, "--side", side, "--url", url, "--calls", str(calls)]
        env = {"PYTHONHASHSEED": "0", "PATH": "/usr/bin:/bin", "CHATBOT_OTEL_LOG_DIR": folder, "HOME": folder}
        env |= {"PYTHONPATH": str(e.ASIDE / e.PACKAGE)} if side == "ours" else {}
        done = subprocess.run([*command, *own], env=env, capture_output=True, text=True, timeout=600, check=False)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or found is None:
        raise RuntimeError(f"{client}, {side}:\n{done.stderr[-3000:]}")
    return int(found[1]) / calls


def rows(calls: int, clients: tuple[str, ...] = CLIENTS) -> list[Row]:
    """A row per client."""
    import threading

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/v1/orders"
    found = []
    for client in clients:
        bare, ours = instructions(client, "bare", url, calls), instructions(client, "ours", url, calls)
        ratio = ours / bare
        what = f"a post by {client} that asks no model"
        found.append(Row(what, "thousand instructions", ours / 1000, "the bare call", bare / 1000, ratio, ratio, ratio, GOAL))
    server.shutdown()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=40)
    parser.add_argument("--clients", nargs="*", default=CLIENTS)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        child(chosen.child, chosen.side, chosen.url, chosen.calls)
        return
    e.prepare()
    for row in rows(chosen.calls, tuple(chosen.clients)):
        print(f"{row.what:48} {row.ours:9.1f} {row.peer:9.1f} {row.unit}  {row.ratio:.4f}")


if __name__ == "__main__":
    main()
