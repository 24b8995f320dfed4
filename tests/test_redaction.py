"""Secrets are found in every form, and what is personal is masked where it has a form."""

from __future__ import annotations

import base64
from urllib.parse import quote, quote_plus

import pytest

from voicebridge.redaction import REDACTED, Redaction

SECRET = "Qx7+/=8u&%mZ2rT9 not a blank".replace(" ", "_")
KEY = "sk-proj-Aa0456789012345zyxw"
CARD = "4556737586899855"

FORMS = {
    "as it is": SECRET,
    "escaped": quote(SECRET, safe=""),
    "escaped as a form": quote_plus(SECRET),
    "in HTML": SECRET.replace("&", "&amp;"),
    "in hexadecimal": SECRET.encode().hex(),
    "in base64": base64.b64encode(SECRET.encode()).decode(),
    "in base64 behind a name": base64.b64encode(f"me:{SECRET}".encode()).decode(),
    "in base64 behind a longer name": base64.b64encode(f"mee:{SECRET}".encode()).decode(),
    "in base64 in the middle": base64.b64encode(f"{{'a': '{SECRET}'}}".encode()).decode(),
    "its beginning": SECRET[:11],
    "its end": SECRET[-9:],
}


@pytest.mark.parametrize("name", FORMS)
def test_a_known_secret_is_left_out(name: str) -> None:
    redaction = Redaction([SECRET])
    for clean in (redaction.clean, redaction.without_secrets):
        cleaned = clean(f"before {FORMS[name]} after")
        assert REDACTED in cleaned
        assert FORMS[name][-6:] not in cleaned
        assert (cleaned[:7], cleaned[-6:]) == ("before ", " after")


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (KEY, REDACTED),
        ("sk-proj-*************wxyz.", REDACTED),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJ-xyz", REDACTED),
        ("postgres://crm:hunter2@db.example/x", f"postgres://{REDACTED}@db.example/x"),
        ("task-based sk-ip", "task-based sk-ip"),
    ],
)
def test_an_unknown_secret_is_known_by_its_looks(written: str, shown: str) -> None:
    assert Redaction().without_secrets(written) == shown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("https://a.example/x?name=Ann&k=1 failed", f"https://a.example/x?{REDACTED} failed"),
        ("wss://a.example/x failed", "wss://a.example/x failed"),
        ("to ann.example+x@post.example.org.", "to [address]."),
        (f"card {CARD}", "card [card]"),
        ("card 4556-7375 8689 9855, thanks", "card [card], thanks"),
        ("at 1763827200000000001", "at 1763827200000000001"),
        ("call CA4556737586899855", "call CA4556737586899855"),
        ("+15550100001", "+1555•••••01"),
        ("1500 ms, 3 tries", "1500 ms, 3 tries"),
    ],
)
def test_personal_data_is_masked_where_it_has_a_form(written: str, shown: str) -> None:
    assert Redaction().clean(written) == shown
