"""Webhooks of the vendor: the signature check and what an incoming call brings.

OpenAI Realtime, section 1.3; the signature is that of the Standard Webhooks custom.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Final

from pydantic import Field
from pydantic_core import from_json

from voicebridge.realtime.errors import RealtimeProtocolError, WebhookSignatureError
from voicebridge.realtime.wire import Int, JsonObject, WireModel, from_wire

TOLERANCE_S: Final = 300.0
INCOMING_CALL: Final = "realtime.call.incoming"
_PREFIX: Final = "whsec_"


class SipHeader(WireModel):
    """One header of the SIP invitation."""

    name: str
    value: str


class IncomingCall(WireModel):
    """A call that waits to be accepted; ``call_id`` is what the REST calls take."""

    call_id: str
    sip_headers: list[SipHeader] = Field(default_factory=list)
    sip_media_security: str | None = None

    def header(self, name: str) -> str | None:
        """Give the first SIP header of this name, in any spelling of case."""
        wanted = name.lower()
        return next((h.value for h in self.sip_headers if h.name.lower() == wanted), None)


class WebhookEvent(WireModel):
    """A webhook's body; ``webhook_id`` is the delivery's, to know a repeated one by."""

    webhook_id: str = Field(exclude=True)
    type: str
    id: str | None = None
    object: str | None = None
    created_at: Int | None = None
    data: JsonObject = Field(default_factory=dict)

    @property
    def incoming_call(self) -> IncomingCall | None:
        """The call, if this tells of one. Raises ``RealtimeProtocolError`` for half a call."""
        if self.type != INCOMING_CALL:
            return None
        return from_wire(IncomingCall, self.data, event_type=self.type)


def verify_webhook(
    body: bytes,
    headers: Mapping[str, str],
    secret: str,
    *,
    now: float | None = None,
    tolerance_s: float = TOLERANCE_S,
) -> WebhookEvent:
    """Check a webhook's signature and age, and read it.

    ``secret`` is the ``whsec_…`` text of the dashboard; ``now`` is unix time. A delivery may come
    twice: drop those whose ``webhook_id`` has been seen. Raises ``WebhookSignatureError``, or
    ``RealtimeProtocolError`` for a signed body that is no event.
    """
    fields = {name.lower(): value for name, value in headers.items()}
    webhook_id = fields.get("webhook-id", "")
    timestamp = fields.get("webhook-timestamp", "")
    _check_age(timestamp, time.time() if now is None else now, tolerance_s)
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    expected = base64.b64encode(hmac.new(_key(secret), signed, hashlib.sha256).digest())
    if not _any_matches(fields.get("webhook-signature", ""), expected):
        raise WebhookSignatureError("the webhook is not signed with this secret")
    return _event(body, webhook_id)


def _check_age(timestamp: str, now: float, tolerance_s: float) -> None:
    if not (timestamp.isascii() and timestamp.isdigit()):
        raise WebhookSignatureError("the webhook has no timestamp")
    if abs(now - int(timestamp)) > tolerance_s:
        raise WebhookSignatureError(f"the webhook's timestamp is over {tolerance_s:g} s off")


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error as error:
        raise WebhookSignatureError("the webhook secret is not whsec_ and base64") from error


def _any_matches(signatures: str, expected: bytes) -> bool:
    found = False
    for signature in signatures.split():
        version, _, value = signature.partition(",")
        if version == "v1" and hmac.compare_digest(value.encode(), expected):
            found = True
    return found


def _event(body: bytes, webhook_id: str) -> WebhookEvent:
    try:
        parsed = from_json(body)
    except ValueError as error:
        raise RealtimeProtocolError(f"the webhook is not JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise RealtimeProtocolError("the webhook is not a JSON object")
    return from_wire(WebhookEvent, {**parsed, "webhook_id": webhook_id}, "webhook")
