"""Takes terminal control sequences out of a text: colours of werkzeug and click, links, cursor moves.

`logs.redaction` calls it for every text that is written or sent: only a terminal needs the sequences.
"""

from __future__ import annotations

import re
from typing import Final

ESCAPE: Final = "\x1b"
CSI: Final = "\x9b"
"""The one character that stands for ESC and `[` (ECMA-48, 8-bit codes)."""

_SEQUENCE: Final = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]{0,256}[ -/]{0,16}[@-~]?"  # colours and cursor moves
    "|\x1b[\\]PX^_][^\x07\x1b\x9c]{0,4096}(?:\x07|\x1b\\\\|\x9c)?"  # links and titles, up to their end
    "|\x1b[ -/]{0,16}[0-~]?"  # all others, incomplete ones too
)


def without_escapes(text: str) -> str:
    """The text without control sequences; what they enclose stays."""
    return _SEQUENCE.sub("", text) if ESCAPE in text or CSI in text else text
