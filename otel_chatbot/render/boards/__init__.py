"""The dashboards, a file each: rows of panels, built on metrics by their Python names.

Fed by `semconv` through `render.promql`; feeds `render.dashboards`.
"""
