"""Drivers of real model clients: one plain function per interface, and the table of scenarios that they make with the modes.

`table.py` is the table; `app.py` runs scenarios, each in a Flask request of its own, with or without the package.
"""
