"""Flask: every request counted, measured and traced to its last byte. `hooks` is the way in."""
