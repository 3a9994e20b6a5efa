"""Calls of language models: times, tokens, cost, failures, spans. `hooks` is the way in."""
