"""Webhooks: signed as the vendor's own client expects it, and refused in every other case."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import openai
import pytest

from voicebridge.realtime import RealtimeProtocolError, WebhookSignatureError, verify_webhook

SECRET = "whsec_" + base64.b64encode(b"thirty-two bytes of a secret key").decode()
NOW = 1_750_287_018.0
CALL = {
    "object": "event",
    "id": "evt_1",
    "type": "realtime.call.incoming",
    "created_at": 1750287018,
    "data": {
        "call_id": "rtc_1",
        "sip_headers": [{"name": "From", "value": "sip:+14155550100@example.com"}],
        "sip_media_security": "srtp",
    },
}


def signed(payload: Any, *, at: float = NOW, secret: str = SECRET) -> tuple[bytes, dict[str, str]]:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"wh_1.{at:.0f}.".encode() + body, hashlib.sha256).digest()
    signature = "v1," + base64.b64encode(digest).decode()
    return body, {
        "Webhook-Id": "wh_1",
        "Webhook-Timestamp": f"{at:.0f}",
        "Webhook-Signature": f"v1,AAAA {signature}",
    }


def test_a_signed_call_is_read() -> None:
    event = verify_webhook(*signed(CALL), SECRET, now=NOW)
    assert (event.webhook_id, event.id, event.type) == ("wh_1", "evt_1", "realtime.call.incoming")
    call = event.incoming_call
    assert call is not None
    assert (call.call_id, call.sip_media_security) == ("rtc_1", "srtp")
    assert call.header("from") == "sip:+14155550100@example.com"
    assert call.header("To") is None


def test_the_vendor_s_client_accepts_the_same_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: NOW)
    body, headers = signed(CALL)
    openai.OpenAI(api_key="k").webhooks.verify_signature(body, headers, secret=SECRET)
    assert verify_webhook(body, headers, SECRET).id == "evt_1"


def test_another_event_is_no_call() -> None:
    event = verify_webhook(*signed({**CALL, "type": "response.completed"}), SECRET, now=NOW)
    assert event.incoming_call is None


@pytest.mark.parametrize("off_s", [-301, 301])
def test_an_old_or_future_webhook_is_refused(off_s: float) -> None:
    with pytest.raises(WebhookSignatureError, match="300 s off"):
        verify_webhook(*signed(CALL, at=NOW + off_s), SECRET, now=NOW)


def test_an_altered_body_or_header_is_refused() -> None:
    body, headers = signed(CALL)
    with pytest.raises(WebhookSignatureError):
        verify_webhook(body + b" ", headers, SECRET, now=NOW)
    with pytest.raises(WebhookSignatureError):
        verify_webhook(body, {**headers, "Webhook-Id": "wh_2"}, SECRET, now=NOW)
    with pytest.raises(WebhookSignatureError):
        verify_webhook(body, {**headers, "Webhook-Signature": "v1a,x \xe9,"}, SECRET, now=NOW)
    for missing in headers:
        rest = {name: value for name, value in headers.items() if name != missing}
        with pytest.raises(WebhookSignatureError):
            verify_webhook(body, rest, SECRET, now=NOW)


def test_another_secret_or_none_is_refused() -> None:
    other = "whsec_" + base64.b64encode(b"another").decode()
    with pytest.raises(WebhookSignatureError, match="not signed with this secret"):
        verify_webhook(*signed(CALL), other, now=NOW)
    with pytest.raises(WebhookSignatureError, match="whsec_"):
        verify_webhook(*signed(CALL), "whsec_%%%", now=NOW)


@pytest.mark.parametrize("timestamp", ["", "soon", "-5", "1e9", "\u0661\u0662"])
def test_a_timestamp_that_is_no_number_is_refused(timestamp: str) -> None:
    body, headers = signed(CALL)
    with pytest.raises(WebhookSignatureError, match="timestamp"):
        verify_webhook(body, {**headers, "Webhook-Timestamp": timestamp}, SECRET, now=NOW)


@pytest.mark.parametrize("payload", [b"not JSON", b"[]", b"{}", b'{"type":5}'])
def test_a_signed_body_that_is_no_event_is_malformed(payload: bytes) -> None:
    with pytest.raises(RealtimeProtocolError):
        verify_webhook(*signed(payload), SECRET, now=NOW)


def test_half_a_call_is_malformed() -> None:
    event = verify_webhook(*signed({**CALL, "data": {"sip_headers": []}}), SECRET, now=NOW)
    with pytest.raises(RealtimeProtocolError, match="call_id"):
        _ = event.incoming_call
