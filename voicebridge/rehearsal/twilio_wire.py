"""Write and read the carrier's messages to the letter (Twilio Media Streams, sections 3 and 4).

What the carrier sends has its numbers as strings. What it accepts are three messages with
exactly their fields: one more or one less, and the message is dropped with a warning.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass

CONNECTED = '{"event":"connected","protocol":"Call","version":"1.0.0"}'

BINARY_FRAME = 31950
INVALID_MESSAGE = 31951
BUFFER_OVERFLOW = 31931


@dataclass(frozen=True, slots=True)
class Media:
    """Audio for the caller: mu-law 8 kHz mono, any length but none."""

    audio: bytes


@dataclass(frozen=True, slots=True)
class MarkSet:
    """A mark to send back when everything before it has been played."""

    name: str


@dataclass(frozen=True, slots=True)
class ClearAsked:
    """The wish to empty the queue."""


@dataclass(frozen=True, slots=True)
class Invalid:
    """A message that is dropped, with the code and the words of the warning."""

    code: int
    reason: str


Message = Media | MarkSet | ClearAsked | Invalid


def read_message(text: str, stream_sid: str) -> Message:
    """Read a text message from the bridge; whatever is not to the letter comes back Invalid."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return _invalid("not JSON")
    if not isinstance(message, dict):
        return _invalid("not a JSON object")
    event = message.get("event")
    body_key = {"media": "media", "mark": "mark", "clear": None}.get(str(event), "?")
    if body_key == "?":
        return _invalid(f"unknown event {event!r:.40}")
    expected = {"event", "streamSid"} | ({body_key} if body_key else set())
    if message.keys() != expected:
        return _invalid(f"{event}: fields {_names(message)} instead of {sorted(expected)}")
    if message["streamSid"] != stream_sid:
        return _invalid(f"{event}: streamSid {message['streamSid']!r:.50} is not this stream's")
    if body_key is None:
        return ClearAsked()
    return _read_body(body_key, message[body_key])


def _read_body(event: str, body: object) -> Message:
    field = "payload" if event == "media" else "name"
    if not isinstance(body, dict) or body.keys() != {field}:
        return _invalid(f"{event}: fields {_names(body)} instead of ['{field}']")
    value = body[field]
    if not isinstance(value, str) or not value:
        return _invalid(f"{event}.{field} is empty or not a string")
    if event == "mark":
        return MarkSet(value)
    try:
        return Media(base64.b64decode(value, validate=True))
    except (binascii.Error, ValueError):
        return _invalid("media.payload is not base64")


def _invalid(reason: str) -> Invalid:
    return Invalid(INVALID_MESSAGE, reason)


def _names(message: object) -> str:
    if not isinstance(message, dict):
        return f"{message!r:.40}"
    return str(sorted(message))[:200]


@dataclass(slots=True)
class StreamWriter:
    """Number and write the messages of one stream, in the order in which they are sent."""

    stream_sid: str
    call_sid: str
    account_sid: str
    sequence: int = 0
    chunk: int = 0

    def start(self, parameters: Mapping[str, str]) -> str:
        """Write ``start`` with the TwiML's parameters."""
        start = {
            "accountSid": self.account_sid,
            "streamSid": self.stream_sid,
            "callSid": self.call_sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": dict(parameters),
        }
        return self._write("start", {"start": start})

    def media(self, payload: str, timestamp_ms: int) -> str:
        """Write 20 ms of the caller; fifty times a second, hence by formatting."""
        self.sequence += 1
        self.chunk += 1
        return (
            f'{{"event":"media","sequenceNumber":"{self.sequence}","media":{{"track":"inbound",'
            f'"chunk":"{self.chunk}","timestamp":"{timestamp_ms}","payload":"{payload}"}},'
            f'"streamSid":"{self.stream_sid}"}}'
        )

    def mark(self, name: str) -> str:
        """Write the return of a mark."""
        return self._write("mark", {"mark": {"name": name}})

    def dtmf(self, digit: str) -> str:
        """Write a key press; here the track has another spelling."""
        return self._write("dtmf", {"dtmf": {"track": "inbound_track", "digit": digit}})

    def stop(self) -> str:
        """Write the end of the stream."""
        return self._write(
            "stop", {"stop": {"accountSid": self.account_sid, "callSid": self.call_sid}}
        )

    def _write(self, event: str, body: dict[str, object]) -> str:
        self.sequence += 1
        head = {"event": event, "sequenceNumber": str(self.sequence)}
        tail = {"streamSid": self.stream_sid}
        return json.dumps({**head, **body, **tail}, separators=(",", ":"))
