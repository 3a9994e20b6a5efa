"""What watches the application's libraries: a file (or a few) a library, each with `instrument()` and `uninstrument()`.

Fed by the libraries' own calls; feeds `metrics.record`, spans and log records. `distro.instrumentations` installs them.
"""
