"""Every telemetry name of the package, as data: the single source that instruments, dashboards, rules and documentation read.

Imports the standard library only; every other room imports it.
"""
