"""MongoDB: what its commands write, as conversations and messages."""
