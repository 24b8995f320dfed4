from __future__ import annotations

import pytest
from multidict import MultiDict
from twilio.request_validator import RequestValidator

from voicebridge.rehearsal.signing import sign, signature_header

FORMS: list[list[tuple[str, str]]] = [
    [],
    [("CallSid", "CA1")],
    [("b", "2"), ("a", "1")],
    [("B", "2"), ("a", "1"), ("A", "0")],
    [("From", "+15550100001"), ("To", "+15550100002"), ("CallStatus", "ringing")],
    [("FromCity", ""), ("FromZip", "")],
    [("SpeechResult", "  two spaces  ")],
    [("Name", "Müller & Söhne"), ("Note", "100% = all+nothing")],
    [("Digits", "1"), ("Digits", "2")],
    [("Digits", "2"), ("Digits", "1"), ("Digits", "2")],
    [("a", "bc"), ("ab", "c")],
]
URLS = [
    "https://voice.example.com/twilio/voice",
    "https://voice.example.com/twilio/voice/",
    "https://voice.example.com/twilio/voice?foo=1&bar=2",
    "http://127.0.0.1:8080/twilio/voice?x=%20y",
    "https://voice.example.com:8443/",
]


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("form", FORMS)
def test_the_vendors_validator_accepts_a_signed_form(url: str, form: list[tuple[str, str]]) -> None:
    validator = RequestValidator("a-secret")
    assert validator.validate(url, MultiDict(form), sign("a-secret", url, form))
    assert not validator.validate(url, MultiDict(form), sign("another", url, form))
    assert not validator.validate(url + "x", MultiDict(form), sign("a-secret", url, form))


@pytest.mark.parametrize(
    "url",
    [
        "wss://voice.example.com/media",
        "wss://voice.example.com/media/a-token-in-the-path",
        "ws://127.0.0.1:8080/twilio/media",
        "wss://voice.example.com:8443/media",
    ],
)
def test_the_vendors_validator_accepts_a_signed_handshake(url: str) -> None:
    assert RequestValidator("a-secret").validate(url, {}, sign("a-secret", url))


def test_the_published_vectors_come_out() -> None:
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675310",
        "Digits": "1234",
        "From": "+14158675310",
        "To": "+18005551212",
    }
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert sign("12345", url, form.items()) == "GvWf1cFY/Q7PnoempGyD5oXAezc="
    assert sign("12345", "wss://voice.example.com/media") == "jFDHVhI8XO69C49uXR3xmdZPylY="


def test_a_fragment_is_no_part_of_what_is_signed() -> None:
    assert sign("t", "https://a.example/x#rc=2") == sign("t", "https://a.example/x")


def test_the_header_is_missing_without_a_token() -> None:
    assert signature_header(None, "https://a.example/") == {}
    assert list(signature_header("t", "https://a.example/")) == ["X-Twilio-Signature"]
