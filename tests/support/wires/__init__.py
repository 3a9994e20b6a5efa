"""A deterministic model server that speaks the wires of the real ones, and keeps the truth about what it was asked.

One file per wire: pure functions from an `Ask` to an `Answer`. `server.py` sends answers, in the mode that the prompt asks for,
and writes the ledger. It feeds tests/stack/instrumentation/genai/test_model_clients.py. Start it as a process from the folder tests/:

    python -m support.wires --port 0

The first line that it prints is JSON: its address, and that of its gRPC port where grpcio is installed.
"""
