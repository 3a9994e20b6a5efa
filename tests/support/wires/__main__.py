"""Runs the server as a process until it is ended; prints its addresses."""

from __future__ import annotations

import argparse
import json
import signal
import sys

from .server import WiresServer


def main() -> None:
    parser = argparse.ArgumentParser(description="A deterministic model server that speaks the wires of the real ones.")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    server = WiresServer(parser.parse_args().port)
    addresses = {"url": server.url}
    try:
        from . import gemini_grpc
    except ModuleNotFoundError:  # no grpcio here
        pass
    else:
        addresses["grpc"] = gemini_grpc.start(server.ledger)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    print(json.dumps(addresses), flush=True)
    server.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    main()
