"""The rules that find personal data and credentials in text: one row per rule.

Feeds `logs.redaction`. Every quantifier over free text is bounded, so that no text makes a rule slow.
If a text holds none of a rule's markers, the rule is not tried.
"""

# ruff: noqa: SIM905 - lists of words read best as words
from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ..config import MASK


@dataclass(frozen=True)
class Rule:
    """What to find, what to put in its place, and the markers: every match contains at least one of these substrings.

    No markers means that a match contains a run of digits (see `DIGIT_RUN`).
    """

    name: str
    pattern: re.Pattern[str]
    replacement: str | Callable[[re.Match[str]], str]
    markers: tuple[str, ...] = ()


def marked(text: str) -> bool:
    """Whether a text holds a marker of any rule.

    The markers are written out: this runs for every log line, and a loop over a table takes more than twice as long.
    They are shorter than the rules' own, so that fewer are enough: `_` stands for every key that holds one.
    """
    return (
        "@" in text
        or "%40" in text
        or "eyJ" in text
        or "earer" in text
        or "EARER" in text
        or "sk-" in text
        or "AKIA" in text
        or "ASIA" in text
        or "AIza" in text
        or "key=" in text
        or "xox" in text
        or "glpat-" in text
        or ("_" in text and ("gh" in text or "hub_pat" in text or "hf_" in text or "k_live_" in text or "k_test_" in text))
        or "dup key: " in text
        or "full error: " in text
        or "of pipeline" in text
        or "args beginning with" in text
        or "Error code: " in text
    )


DIGIT_RUN = re.compile(r"[0-9][0-9 ().+/-]{6}")
"""What every card, phone and nearly every account number contains: seven digits or separators in a row."""


def luhn(digits: str) -> bool:
    """Whether a card number's check digit is right (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit)
        if place % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0


def iban_checksum(number: str) -> bool:
    """Whether an IBAN without spaces has the right check digits (ISO 7064, MOD 97-10)."""
    return int("".join(str(int(c, 36)) for c in number[4:] + number[:4])) % 97 == 1


# Length by country, from the IBAN registry (SWIFT, release 99).
_IBAN_LENGTHS = {
    code[:2]: int(code[2:])
    for code in (
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 "
        "ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 "
        "LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 "
        "PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"
    ).split()
}


def _mask_iban(match: re.Match[str]) -> str:
    text = match[0]
    length = _IBAN_LENGTHS.get(text[:2], 0)
    places = [place for place, character in enumerate(text) if character != " "]
    if not length or len(places) < length:
        return text
    end = places[length - 1] + 1
    if text[end : end + 1].strip() or not iban_checksum(text[:end].replace(" ", "")):
        return text
    return MASK + text[end:]


# Issuers' ranges and lengths: Visa, Mastercard, American Express, Discover, JCB, UnionPay (16, 15) and Diners (14).
_ISSUER = re.compile(r"(?:4\d|5[1-5]|2[2-7]|6[0245]|35)\d{14}|3[47]\d{13}|3[0689]\d{12}")


def _mask_card(match: re.Match[str]) -> str:
    digits = "".join(c for c in match[0] if c.isdigit())
    return MASK if _ISSUER.fullmatch(digits) and luhn(digits) else match[0]


def _mask_international_phone(match: re.Match[str]) -> str:
    digits = sum(c.isdigit() for c in match[0])
    return MASK if 8 <= digits <= 15 else match[0]


def _mask_bearer(match: re.Match[str]) -> str:
    # "bearer authentication" is prose, "Bearer 7f..." is not.
    token = match[2]
    return match[0] if token.isalpha() and token.islower() and len(token) < 20 else f"{match[1]}{MASK}"


_LOCAL = r"[\w.%+'-]{1,256}"
_DOMAIN = r"[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}\.[^\W\d_]{2,24}"

RULES: tuple[Rule, ...] = (
    Rule(
        "connection string of a database",  # passwords that are not percent-encoded included
        re.compile(
            r"\b((?:mongodb(?:\+srv)?|rediss?|valkeys?|postgres(?:ql)?(?:\+\w{1,20})?|mysql(?:\+\w{1,20})?|mariadb|amqps?)://)"
            r"[^\s\"'<>]{0,512}@",
            re.IGNORECASE,
        ),
        rf"\1{MASK}@",
        ("@",),
    ),
    Rule(
        "credentials in a URL", re.compile(r"(\b[A-Za-z][A-Za-z0-9+.-]{0,20}://)[^\s/?#\"'<>]{1,512}@"), rf"\1{MASK}@", ("@",)
    ),
    Rule(
        "e-mail address",
        re.compile(rf"(?<![\w.%+'-]){_LOCAL}(?:@|%40){_DOMAIN}(?![\w-])"),
        MASK,
        ("@", "%40"),
    ),
    Rule("JSON web token", re.compile(r"\beyJ[\w-]{5,4096}\.[\w-]{2,8192}(?:\.[\w-]{0,4096})?"), MASK, ("eyJ",)),
    Rule("bearer token", re.compile(r"(?i:\b(bearer\s{1,8}))([\w.~+/=-]{8,8192})"), _mask_bearer, ("earer", "EARER")),
    Rule(
        "API key",
        re.compile(
            r"(?<![\w-])(?:sk-[\w-]{10,512}|[srp]k_(?:live|test)_\w{10,256}|A[KS]IA[0-9A-Z]{16}\b|gh[opsur]_\w{30,256}|"
            r"github_pat_\w{30,256}|glpat-[\w-]{15,256}|xox[abeoprs]-[\w-]{10,256}|AIza[\w-]{30,64}|hf_[A-Za-z0-9]{30,64})"
        ),
        MASK,
        (
            "sk-",
            "k_live_",
            "k_test_",
            "AKIA",
            "ASIA",
            "gho_",
            "ghp_",
            "ghs_",
            "ghu_",
            "ghr_",
            "github_pat_",
            "glpat-",
            "xox",
            "AIza",
            "hf_",
        ),
    ),
    Rule(  # as Gemini's clients send it, whose addresses httpx writes into the log
        "key in a URL", re.compile(r"([?&](?:subscription-)?key=)[^\s&#\"'<>]{1,512}"), rf"\1{MASK}", ("key=",)
    ),
    Rule("IBAN", re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,40}"), _mask_iban),
    Rule(
        "payment card",
        re.compile(
            r"(?<![\w.])\d{14,16}(?![\w-]|\.\d)|"
            r"(?<![\w.-])(?:\d{4}([ -])\d{4}\1\d{4}\1\d{4}|\d{4}([ -])\d{6}\2\d{4,5})(?![\w-]|\.\d)"
        ),
        _mask_card,
    ),
    Rule("international phone number", re.compile(r"(?<![\w.+])\+\d[\d ().-]{6,20}\d(?![\w])"), _mask_international_phone),
    Rule(
        "national phone number",
        re.compile(
            r"(?<![\w.,:/+-])(?<!\d )(?:\([2-9]\d{2}\) ?\d{3}[ .-]\d{4}|[2-9]\d{2}([.-])[2-9]\d{2}\1\d{4}|"
            r"0\d{2,4}[ /-]\d{3,4}[ -]?\d{3,4})(?![\w]|[ .,:/-]\d)"
        ),
        MASK,
    ),
    Rule(
        "value in a database's error",
        re.compile(
            r"(dup key: |full error: )\{.*|(Command # \d{1,9} )\(.{0,2048}?\) (of pipeline)|(with args beginning with: ).*"
        ),
        lambda match: f"{match[1] or match[2] or match[4]}{match[3] or MASK}",
        ("dup key: ", "full error: ", "of pipeline", "args beginning with"),
    ),
    Rule(  # openai/_base_client.py; this is the endpoint's own text, which may quote the prompt
        "message of a model's endpoint",
        re.compile(r"(\bError code: [45]\d\d - ).+"),
        rf"\1{MASK}",
        ("Error code: ",),
    ),
)
"""Every built-in rule, in the order in which they run."""
