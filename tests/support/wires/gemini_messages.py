"""Gemini's messages as protocol buffers, made here: no generated package of them fits beside this project's protobuf.

Feeds the tests of gRPC. The fields' numbers are the service's own.
"""

from __future__ import annotations

from types import SimpleNamespace

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory


def messages() -> SimpleNamespace:
    """As much of the service's messages as the server's bytes fill: no generated package fits beside ours."""
    file = descriptor_pb2.FileDescriptorProto(name="wires.proto", package="wires", syntax="proto3")
    kinds = {"text": 9, "number": 5, "message": 11}

    def message(name: str, **fields: tuple[int, str, str, bool]) -> None:
        made = file.message_type.add(name=name)
        for field, (number, kind, of, many) in fields.items():
            type_name = f".wires.{of}" if of else None
            made.field.add(name=field, number=number, label=3 if many else 1, type=kinds[kind], type_name=type_name)  # type: ignore[arg-type]

    message("Part", text=(2, "text", "", False))
    message("Content", parts=(1, "message", "Part", True), role=(2, "text", "", False))
    message("Ask", model=(1, "text", "", False), contents=(2, "message", "Content", True))
    message("Candidate", content=(1, "message", "Content", False), finish_reason=(2, "number", "", False))
    usage = {"prompt": 1, "candidates": 2, "total": 3}
    counts = {f"{name}_token_count": (number, "number", "", False) for name, number in usage.items()}
    message("Usage", **counts, cached_content_token_count=(4, "number", "", False))
    message(
        "Answer", candidates=(1, "message", "Candidate", True), usage_metadata=(3, "message", "Usage", False),
        model_version=(4, "text", "", False),
    )  # fmt: skip
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    find = pool.FindMessageTypeByName
    return SimpleNamespace(**{name: message_factory.GetMessageClass(find(f"wires.{name}")) for name in ("Ask", "Answer")})


KINDS = messages()
