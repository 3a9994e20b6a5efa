"""Every telemetry name of the package, as data: the single source that instruments, dashboards, rules and documentation read.

Fed by nothing (standard library only); feeds every other room.
"""
