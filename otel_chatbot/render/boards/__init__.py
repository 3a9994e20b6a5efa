"""The dashboards, one file per dashboard: rows of panels, built on metrics by their Python names.

Fed by `semconv` through `render.promql`; feeds `render.dashboards`.
"""
