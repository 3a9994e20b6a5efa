"""Secrets to plant, and the search for them in whatever leaves: as they are, in other cases and encodings, inside compressed data.

Two kinds. A `bird` is a word without any pattern, for places of which nothing may be captured at all: nobody could mask it by
its looks. A `text` is a sentence with what the redaction's patterns know, for what an app writes or raises itself. Feeds the
canary test.
"""

from __future__ import annotations

import base64
import gzip
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus


@dataclass
class Canaries:
    """What was planted: each secret's bytes, and where it was put."""

    planted: dict[str, str] = field(default_factory=dict)

    def bird(self, place: str) -> str:
        """A word that must not leave, whatever it looks like."""
        word = f"cAn{len(self.planted):03d}rY{_letters(place)}"
        self.planted[word] = place
        return word

    def text(self, place: str) -> str:
        """A sentence with an address, a number, a card, an account, keys and tokens; each of them must be gone."""
        number = len(self.planted)
        secrets = [
            f"canary{number}.{_letters(place)}@example.org",
            f"sk-proj-{_letters(place)}{number:03d}canary0123456789",
            f"AKIA{number:03d}CANARY{'X' * 7}",
            "4539 1488 0343 6467",
            "DE89 3704 0044 0532 0130 00",
            "+49 170 5550199",
            f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ{number:03d}canary{_letters(place)}.c2lnbmF0dXJl",
            f"bEaReRcanary{number:03d}{_letters(place)}0123456789",
        ]
        mail, key, amazon, card, iban, phone, jwt, token = secrets
        self.planted.update(dict.fromkeys(secrets, place))
        return (
            f"write to {mail} or call {phone}, key {key} and {amazon}, card {card}, account {iban}, jwt {jwt}, "
            f"header Authorization: Bearer {token}"
        )

    def leaks(self, data: bytes, where: str) -> list[str]:
        """What was planted and found in some data, decompressed where that can be done."""
        found = []
        for layer in _layers(data):
            lowered = layer.lower()
            for secret, place in self.planted.items():
                for form, needle in _forms(secret):
                    if needle.lower() in lowered:
                        at = lowered.index(needle.lower())
                        around = layer[max(at - 80, 0) : at + len(needle) + 20]
                        found.append(f"{place}: {form} of {secret!r} in {where}: {around!r}")
                        break
        return found

    def leaks_in_files(self, folder: Path) -> list[str]:
        """The same for every file under a folder, names of files included."""
        found = []
        for path in sorted(folder.rglob("*")):
            name = str(path.relative_to(folder))
            found += self.leaks(name.encode(), "a file's name")
            if path.is_file():
                found += self.leaks(path.read_bytes(), name)
        return found


def _letters(place: str) -> str:
    return "".join(c for c in place if c.isascii() and c.isalnum())


def _forms(secret: str) -> list[tuple[str, bytes]]:
    plain = secret.encode()
    forms = [("the text", plain), ("the text, URL-encoded", quote(secret, safe="").encode()), ("hex", plain.hex().encode())]
    forms.append(("the text, form-encoded", quote_plus(secret).encode()))
    forms.append(("the text backwards", plain[::-1]))
    for shift in range(3):  # base64 of something that holds the secret, wherever in it that stands
        encoded = base64.b64encode(b"\0" * shift + plain)
        forms.append(("base64", encoded[(0, 2, 3)[shift] : len(encoded) - 4]))
        forms.append(("base64url", base64.urlsafe_b64encode(b"\0" * shift + plain)[(0, 2, 3)[shift] : len(encoded) - 4]))
    return forms


def _layers(data: bytes) -> list[bytes]:
    layers = [data]
    for open_ in (gzip.decompress, zlib.decompress):
        try:
            layers.append(open_(data))
        except (OSError, zlib.error, EOFError):
            continue
    at = data.find(b"\x1f\x8b\x08")  # compressed inside something else, as in a spool's file
    if at > 0:
        with suppress(zlib.error):
            layers.append(zlib.decompressobj(31).decompress(data[at:]))
    return layers
