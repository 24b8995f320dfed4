"""The signature as a pure function: algorithms, plausible lengths, hashes of bodies."""

import base64
import hashlib
import hmac

import pytest

from voicebridge.carriers import twilio

SECRET = "a-secret-of-an-account"
URL = "https://bridge.example.com/twilio/voice"


def test_a_shared_key_signs_with_the_longer_hash() -> None:
    form = [("To", "+15550100001"), ("CallSid", "CA1")]
    signed = URL + "CallSidCA1To+15550100001"
    digest = hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).digest()
    claimed = base64.b64encode(digest).decode()
    assert twilio.is_signed(SECRET, URL, form, claimed, twilio.HMAC_SHA256)
    assert not twilio.is_signed(SECRET, URL, form, claimed)
    assert not twilio.is_signed(SECRET, URL, form, None, twilio.HMAC_SHA256)
    assert not twilio.is_signed(SECRET, URL, form, "", twilio.HMAC_SHA256)


@pytest.mark.parametrize(
    ("header", "algorithm"),
    [
        (None, "HMAC_SHA1"),
        ("", "HMAC_SHA1"),
        ("algorithm=HMAC_SHA256", "HMAC_SHA256"),
        ("keyId=1, algorithm = hmac_sha256", "HMAC_SHA256"),
        ("algorithm=", "HMAC_SHA1"),
        ("algorithm=none", "NONE"),
        ("something else", "HMAC_SHA1"),
    ],
)
def test_the_header_of_settings_names_the_algorithm(header: str | None, algorithm: str) -> None:
    assert twilio.signature_algorithm(header) == algorithm


@pytest.mark.parametrize(
    ("claimed", "algorithm", "plausible"),
    [
        ("a" * 28, "HMAC_SHA1", True),
        ("a" * 44, "HMAC_SHA256", True),
        ("a" * 27, "HMAC_SHA1", False),
        ("a" * 44, "HMAC_SHA1", False),
        ("ä" * 28, "HMAC_SHA1", False),
        ("a" * 28, "NONE", False),
    ],
)
def test_what_cannot_be_a_signature_is_known_by_its_look(
    claimed: str, algorithm: str, plausible: bool
) -> None:
    assert twilio.is_plausible(claimed, algorithm) is plausible


def test_a_body_that_is_no_form_is_signed_by_its_hash_in_the_url() -> None:
    body = b'{"event": "done"}'
    query = {"bodySHA256": hashlib.sha256(body).hexdigest()}
    assert twilio.is_body_signed(query, body)
    assert not twilio.is_body_signed(query, body + b" ")
    assert not twilio.is_body_signed({}, body)
