"""`otel-chatbot spool status|replay|purge`: the telemetry on disk that waits to be sent.

Fed by the spool of the settings; feeds the terminal.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path

from ..distro.delivery.spool import CorruptError, Spool, UnknownFormatError, signal_of
from ..distro.environment import set_defaults


def spool(action: str) -> int:
    """Run one action; 1 when something is left that should not be."""
    from ..distro.delivery.transport import sender
    from ..distro.delivery.transport import spool as the_spool

    set_defaults()
    found = the_spool()
    if action == "purge":
        print(f"{found.purge()} payloads deleted from {found.folder}")
        return 0
    if action == "replay":
        before = len(found.files())
        emptied = sender().send_all()
        left = len(found.files())
        print(f"{before - left} payloads sent, {left} left in {found.folder}")
        if not emptied and left:
            print("another process is sending, or an endpoint did not take them: see `otel-chatbot doctor`")
        return 1 if left else 0
    _status(found)
    return 0


def _status(found: Spool) -> None:
    files = found.scan()
    print(f"{found.folder}: {len(files)} payloads, {sum(size for _, size in files)} bytes on disk")
    for signal, number in sorted(Counter(signal_of(path).value for path, _ in files).items()):
        print(f"  {signal}: {number}")
    if files:
        written = int(files[0][0].name.partition("-")[0]) / 1e9
        print(f"  oldest: {dt.datetime.fromtimestamp(written, dt.timezone.utc).isoformat(timespec='seconds')}")
    later = sum(1 for path, _ in files if _is_of_later_version(found, path))
    if later:
        print(f"  of a later version of the package, which will send them: {later}")
    aside = found.aside()
    if aside:
        print(f"  set aside as unreadable: {len(aside)}")


def _is_of_later_version(found: Spool, path: Path) -> bool:
    try:
        found.read(path)
    except UnknownFormatError:
        return True
    except (OSError, CorruptError):
        return False
    return False
