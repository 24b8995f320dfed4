"""Secrets and personal data that must not be seen, and the search for all forms of them."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from random import Random
from urllib.parse import quote, quote_plus

_CHANCE = Random(20_261_122)
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789"


def _secret(size: int, start: str = "") -> str:
    return start + "".join(_CHANCE.choice(_LETTERS) for _ in range(size))


SECRETS = {
    "TWILIO_AUTH_TOKEN": _secret(32),
    "TWILIO_AUTH_TOKEN_OLD": _secret(32),
    "TWILIO_SHARED_KEY": _secret(40),
    "OPENAI_API_KEY": _secret(48, "sk-proj-"),
    "VOICEBRIDGE_API_TOKEN": _secret(24),
    "CRM_TOKEN": _secret(28) + "+/=",  # in a header of an HTTP tool
    "CRM_KEY": _secret(20) + "&%",  # in another
    "CALENDAR_TOKEN": _secret(24),  # in a header of an MCP server
    "CATALOGUE_TOKEN": _secret(24),  # for an MCP server that the model uses by itself
    "REALTIME_ACCESS": _secret(24),  # in the query of VOICEBRIDGE_REALTIME_URL
    "LEAKY_DB_PASSWORD": _secret(18),  # a tool's own, of which the bridge knows nothing
    "hook_token": _secret(24),  # in the query of the number's webhook
}
"""By where they are planted; what is written large is a variable of the environment."""

CARDS = ("4556737586899855", "5424180279791732", "4024007103939509", "371449635398431")
"""Said, and given to tools."""

TYPED = "6011514433546201"
"""A card that is only ever typed on the keys: nobody but a tool that asks for it may know it."""

NAMES = tuple(
    f"{first} {last}"
    for first, last in zip(
        ("Aurelia", "Balthasar", "Cosima", "Dietmute", "Ekkehard", "Friedegund", "Gisbert"),
        ("Quastenflosser", "Ruebezahl", "Sauerampfer", "Tintenfass", "Uhlenhorst", "Vogelbeer",
         "Wackernagel"),
        strict=True,
    )
)  # fmt: skip
MAILS = tuple(f"{name.split()[0].lower()}.{name.split()[1].lower()}@post.example" for name in NAMES)
NUMBERS = tuple(f"+1212736{_CHANCE.randrange(10**4):04d}" for _ in range(12))
BARE = tuple(f"030 {_CHANCE.randrange(10**4):04d} {_CHANCE.randrange(10**4):04d}" for _ in range(6))
SAID = (
    "my gallbladder was removed",
    "my mother's maiden name is Zwetschgenmus",
    "I live at 17 Kormoranweg",
    "born on 3 October 1951",
    "the alarm code is 84-17-22",
    "I owe the bank ninety thousand",
    "policy HX-77120-Q",
    "my passport is C01X0006H",
    "the key lies under the pelargonium",
    "I take forty of Sertralin",
    "my lawyer is Doktor Kieselstein",
    "room 418 at the Seeblick",
    "IBAN DE02 1203 0000 0000 2020 51",
)
PERSONAL = (TYPED, *CARDS, *NAMES, *MAILS, *NUMBERS, *BARE, *SAID)


_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ][\d:.]+Z?")


@dataclass(frozen=True)
class Hit:
    """Something that was seen where it must not be."""

    what: str
    form: str
    around: str


def hits(text: str, planted: dict[str, str], secret: bool) -> list[Hit]:
    """Find all that is planted in a text, in whatever form it gives itself away."""
    found = []
    text = _TIME.sub("", text)
    folded, digits = text.casefold(), re.sub(r"(?<=\d)[\s().-]{1,2}(?=\d)", "", text)
    for name, value in planted.items():
        for form, wanted in _forms(value, secret):
            where = digits if form.startswith("digits") else folded
            at = where.find(wanted if form.startswith("digits") else wanted.casefold())
            if at >= 0:
                found.append(Hit(name, form, where[max(0, at - 120) : at + 60]))
                break
        only = re.sub(r"\D", "", value)
        if not secret and _is_number(value) and re.search(rf"(?<!\w){only[-6:]}(?!\w)", digits):
            found.append(Hit(name, "the last digits", only[-6:]))
    return found


def _is_number(value: str) -> bool:
    return sum(char.isdigit() for char in value) > max(8, len(value) / 2)


def _forms(value: str, secret: bool) -> list[tuple[str, str]]:
    raw = value.encode()
    forms = [
        ("plain", value),
        ("escaped", quote(value, safe="")),
        ("escaped as a form", quote_plus(value)),
        ("JSON", json.dumps(value)[1:-1]),
        ("hexadecimal", raw.hex()),
        ("reversed", value[::-1]),
    ]
    for lead in range(3):  # wherever it begins in a text that was encoded as a whole
        encoded = base64.b64encode(b"\0" * lead + raw).decode().rstrip("=")
        forms.append(("base64", encoded[4 if lead else 0 : -2]))
    if secret:
        forms += [("its beginning", value[:10]), ("its end", value[-10:]), ("middle", value[6:16])]
    if _is_number(value) and not secret:
        only = re.sub(r"\D", "", value)
        forms += [("digits", only), ("digits, the first", only[:9])]
    return forms
