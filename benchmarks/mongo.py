"""A process that answers MongoDB's wire protocol and keeps nothing: the database of the benchmarks.

    python benchmarks/mongo.py

Prints its port. Every command is answered like by a server that has done it, every `find` with three messages, at the same
cost from the first command to the last. A database that fills would be slower for the sides that come later in a round.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import bson

HEADER = struct.Struct("<iiii")
OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
MESSAGES = [{"_id": number, "conversation_id": 1, "role": "user", "content": "What is a span?"} for number in range(3)]
HELLO = {
    "ok": 1.0, "helloOk": True, "ismaster": True, "isWritablePrimary": True, "minWireVersion": 0, "maxWireVersion": 21,
    "maxBsonObjectSize": 16 * 2**20, "maxMessageSizeBytes": 48 * 10**6, "maxWriteBatchSize": 10**5,
    "logicalSessionTimeoutMinutes": 30, "readOnly": False,
}  # fmt: skip


def answer(command: dict[str, Any]) -> dict[str, Any]:
    """The answer of a server that has done a command."""
    name = next(iter(command))
    if name in ("hello", "ismaster", "isMaster"):
        return HELLO
    if name == "find":
        return {"cursor": {"firstBatch": MESSAGES, "id": 0, "ns": f"{command['$db']}.{command['find']}"}, "ok": 1.0}
    if name in ("insert", "update"):
        return {"n": 1, "nModified": 1, "ok": 1.0} if name == "update" else {"n": 1, "ok": 1.0}
    return {"ok": 1.0}


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            length, number, _, kind = HEADER.unpack(await reader.readexactly(HEADER.size))
            body = await reader.readexactly(length - HEADER.size)
            if kind == OP_QUERY:  # the first message of a driver
                reply = struct.pack("<iqii", 8, 0, 0, 1) + bson.encode(HELLO)
                kind = OP_REPLY
            else:
                size = struct.unpack_from("<i", body, 5)[0]
                reply = struct.pack("<IB", 0, 0) + bson.encode(answer(bson.decode(body[5 : 5 + size])))
            writer.write(HEADER.pack(HEADER.size + len(reply), number, number, kind) + reply)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**20)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
