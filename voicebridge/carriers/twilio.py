"""Twilio Media Streams: the websocket's JSON, the TwiML documents, the request signature.

Facts: Twilio Media Streams, sections 1 to 6.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from xml.etree import ElementTree

from voicebridge.carriers.base import (
    Connected,
    Marked,
    Media,
    Message,
    Pressed,
    Started,
    Stopped,
    StreamRefused,
    Unknown,
)
from voicebridge.errors import CarrierProtocolError

SIGNATURE_HEADER = "X-Twilio-Signature"
SIGNATURE_SETTINGS_HEADER = "X-Twilio-Webhooks-Signature-Settings"
HMAC_SHA1, HMAC_SHA256 = "HMAC_SHA1", "HMAC_SHA256"
_FORMAT = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
_KEYS = frozenset("0123456789*#ABCD")

# --- the media stream: from the carrier (section 3) -------------------------------------------

# A frame as the carrier writes it, to the letter; any other spelling is for ``decode``.
_FRAME = re.compile(
    r'\{"event":"media","sequenceNumber":"[0-9]{1,20}","media":\{"track":"inbound",'
    r'"chunk":"[0-9]{1,20}","timestamp":"([0-9]{1,12})","payload":"([A-Za-z0-9+/]+={0,2})"\},'
    r'"streamSid":"[A-Za-z0-9]{1,64}"\}'
)

# A mark that comes back, as the carrier writes it, with a name that needs no escape.
_MARK = re.compile(
    r'\{"event":"mark","sequenceNumber":"[0-9]{1,20}","mark":\{"name":"([A-Za-z0-9:_-]+)"\},'
    r'"streamSid":"[A-Za-z0-9]{1,64}"\}'
)


def media_of(text: str) -> tuple[str, int] | None:
    """Read payload and timestamp of a frame without a JSON tree; None leaves it to ``decode``.

    What is returned is what ``decode`` would say, for every text.
    """
    match = _FRAME.fullmatch(text)
    if match is None:
        return None
    timestamp, payload = match.groups()
    return None if len(payload) % 4 else (payload, int(timestamp))


def decode(text: str) -> Message:
    """Read one message of the media stream."""
    if (mark := _MARK.fullmatch(text)) is not None:
        return Marked(mark[1])
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CarrierProtocolError(f"a message that is not JSON: {error}") from None
    if not isinstance(message, dict):
        raise CarrierProtocolError("a message that is not a JSON object")
    match message.get("event"):
        case "media":
            return _media(message)
        case "mark":
            return Marked(_text(message, "mark", "name"))
        case "dtmf":
            return _pressed(message)
        case "start":
            return _started(message)
        case "connected":
            return Connected()
        case "stop":
            return Stopped()
        case kind:
            return Unknown(str(kind)[:64])


def _media(message: dict[str, Any]) -> Media:
    payload = _text(message, "media", "payload")
    try:
        binascii.a2b_base64(payload, strict_mode=True)
    except ValueError as error:
        raise CarrierProtocolError(f"media.payload is not base64: {error}") from None
    if not payload:
        raise CarrierProtocolError("media.payload is empty")
    timestamp = _text(message, "media", "timestamp")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise CarrierProtocolError(f"media.timestamp is not a number: {timestamp[:32]!r}")
    return Media(payload, int(timestamp))


def _pressed(message: dict[str, Any]) -> Pressed:
    digit = _text(message, "dtmf", "digit")
    if digit not in _KEYS:
        raise CarrierProtocolError("dtmf.digit is not a key")
    return Pressed(digit)


def _started(message: dict[str, Any]) -> Started:
    start = _object(message, "start")
    media_format = start.get("mediaFormat")
    if media_format != _FORMAT:
        raise StreamRefused(f"start.mediaFormat is {media_format!r}; only {_FORMAT!r} is served")
    parameters = {} if start.get("customParameters") is None else start["customParameters"]
    if not isinstance(parameters, dict):
        raise StreamRefused("start.customParameters is not an object")
    stream_id, call_id = start.get("streamSid"), start.get("callSid")
    if not (isinstance(stream_id, str) and stream_id and isinstance(call_id, str) and call_id):
        raise StreamRefused("start lacks streamSid or callSid")
    return Started(
        stream_id,
        call_id,
        str(start.get("accountSid", "")),
        {str(name): str(value) for name, value in parameters.items()},
    )


def _object(message: dict[str, Any], key: str) -> dict[str, Any]:
    value = message.get(key)
    if not isinstance(value, dict):
        raise CarrierProtocolError(f"a {key} message without its {key} object")
    return value


def _text(message: dict[str, Any], key: str, field: str) -> str:
    value = _object(message, key).get(field)
    if not isinstance(value, str):
        raise CarrierProtocolError(f"{key}.{field} is not a string")
    return value


# --- the media stream: to the carrier (section 4) ---------------------------------------------


def encode_audio(stream_id: str, audio: bytes) -> str:
    """Write mu-law audio of any length for the playout queue."""
    payload = base64.b64encode(audio).decode("ascii")
    return f'{{"event":"media","streamSid":{_quoted(stream_id)},"media":{{"payload":"{payload}"}}}}'


def encode_mark(stream_id: str, name: str) -> str:
    """Write a mark, to be sent back when all audio before it has been played."""
    quoted = json.dumps(name)
    return f'{{"event":"mark","streamSid":{_quoted(stream_id)},"mark":{{"name":{quoted}}}}}'


def encode_clear(stream_id: str) -> str:
    """Write a clear: it empties the queue and returns every pending mark."""
    return f'{{"event":"clear","streamSid":{_quoted(stream_id)}}}'


@lru_cache(maxsize=2048)
def _quoted(text: str) -> str:
    return json.dumps(text)


# --- TwiML (sections 1 and 9) -----------------------------------------------------------------

# What no XML document can hold, whatever its escapes; the carrier would refuse the whole document.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def twiml_connect(
    stream_url: str, parameters: Mapping[str, str], after_url: str, status_url: str | None = None
) -> str:
    """Write the answer that connects a call to our media stream.

    ``stream_url`` is an absolute websocket URL without a query, which the carrier would strip.
    The redirect behind it is the tail: whatever ends the stream, the caller gets a next step.
    ``status_url`` is told when the stream starts, stops and fails.
    """
    response = ElementTree.Element("Response")
    told = {"statusCallback": status_url, "statusCallbackMethod": "POST"} if status_url else {}
    stream = ElementTree.SubElement(
        ElementTree.SubElement(response, "Connect"), "Stream", {"url": stream_url, **told}
    )
    for name, value in parameters.items():
        ElementTree.SubElement(stream, "Parameter", {"name": name, "value": value})
    ElementTree.SubElement(response, "Redirect", {"method": "POST"}).text = after_url
    return _document(response)


def twiml_hang_up(say: str | None = None) -> str:
    """Write the answer that ends a call, after a sentence if there is one to say."""
    response = ElementTree.Element("Response")
    _say(response, say)
    ElementTree.SubElement(response, "Hangup")
    return _document(response)


def twiml_dial(
    number: str,
    *,
    say: str | None = None,
    caller_id: str | None = None,
    action_url: str | None = None,
    timeout_s: int = 20,
) -> str:
    """Write the answer that connects the caller to a number, after a sentence if there is one.

    ``caller_id`` is a number of the account's own; ``action_url`` is asked what comes next, with
    how the dialling went (section 9).
    """
    response = ElementTree.Element("Response")
    _say(response, say)
    wanted = {"callerId": caller_id, "action": action_url, "timeout": str(timeout_s)}
    told = {name: value for name, value in wanted.items() if value}
    dial = ElementTree.SubElement(response, "Dial", told)
    ElementTree.SubElement(dial, "Number").text = number
    return _document(response)


def twiml_ask(
    words: str, choice_url: str, *, language: str | None = None, within_s: int = 8
) -> str:
    """Write what somebody hears who is to press a key, within ``within_s`` of the last word.

    ``choice_url`` is told the key as ``Digits``; without any the call ends.
    """
    response = ElementTree.Element("Response")
    told = {"numDigits": "1", "timeout": str(within_s), "action": choice_url, "method": "POST"}
    _say(ElementTree.SubElement(response, "Gather", told), words, language)
    ElementTree.SubElement(response, "Hangup")
    return _document(response)


def twiml_join(room: str, action_url: str | None = None) -> str:
    """Write the answer that puts a call into a conference, which ends when either leaves.

    ``action_url`` is asked what comes next.
    """
    response = ElementTree.Element("Response")
    told = {"action": action_url, "method": "POST"} if action_url else {}
    dial = ElementTree.SubElement(response, "Dial", told)
    manners = {"startConferenceOnEnter": "true", "endConferenceOnExit": "true", "beep": "false"}
    ElementTree.SubElement(dial, "Conference", manners).text = room
    return _document(response)


def twiml_busy() -> str:
    """Write the answer that gives the caller a busy tone and costs nothing."""
    response = ElementTree.Element("Response")
    ElementTree.SubElement(response, "Reject", {"reason": "busy"})
    return _document(response)


def _say(parent: ElementTree.Element, words: str | None, language: str | None = None) -> None:
    if said := _NOT_XML.sub(" ", words or "").strip():
        told = {"language": language} if language else {}
        ElementTree.SubElement(parent, "Say", told).text = said


def _document(response: ElementTree.Element) -> str:
    body = ElementTree.tostring(response, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>{body}'


# --- the signature (section 6) ----------------------------------------------------------------


_HASHES = {HMAC_SHA1: hashlib.sha1, HMAC_SHA256: hashlib.sha256}
_LENGTHS = {HMAC_SHA1: 28, HMAC_SHA256: 44}


def signature_algorithm(settings: str | None) -> str:
    """Read the algorithm that ``SIGNATURE_SETTINGS_HEADER`` names; without any it is HMAC_SHA1."""
    for part in (settings or "").split(","):
        name, _, value = part.partition("=")
        if name.strip() == "algorithm" and value.strip():
            return value.strip().upper()
    return HMAC_SHA1


def is_plausible(claimed: str, algorithm: str) -> bool:
    """Tell whether a signature could be the carrier's, before anything is computed."""
    return len(claimed) == _LENGTHS.get(algorithm) and claimed.isascii()


def signature(
    secret: str, url: str, form: Iterable[tuple[str, str]] = (), algorithm: str = HMAC_SHA1
) -> str:
    """Compute ``X-Twilio-Signature`` for a request.

    ``secret`` is the account's auth token, or the secret of a shared key. ``url`` is the public
    one, exactly as the carrier was given it. ``form`` are all fields of a form POST in any order,
    empty for a GET and for the websocket's handshake.
    """
    signed = url + "".join(name + value for name, value in sorted(set(form)))
    digest = hmac.new(secret.encode(), signed.encode(), _HASHES[algorithm]).digest()
    return base64.b64encode(digest).decode("ascii")


def is_signed(
    secret: str,
    url: str,
    form: Iterable[tuple[str, str]],
    claimed: str | None,
    algorithm: str = HMAC_SHA1,
) -> bool:
    """Tell whether a request's signature is the carrier's, in constant time."""
    if not claimed or not is_plausible(claimed, algorithm):
        return False
    return hmac.compare_digest(signature(secret, url, form, algorithm), claimed)


def is_body_signed(query: Mapping[str, str], body: bytes) -> bool:
    """Tell whether a signed URL names the hash of a body that is no form."""
    return hmac.compare_digest(
        hashlib.sha256(body).hexdigest().encode(), query.get("bodySHA256", "").encode()
    )
