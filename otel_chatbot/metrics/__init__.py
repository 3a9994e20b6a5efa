"""The figures: the store, the merged view, the public instruments and what `/metrics` serves.

Fed by the instrumentations (`record`) and by the application (`api`); feeds `/metrics`, `/metrics/json` and the export.
"""
