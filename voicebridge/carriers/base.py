"""What every carrier's media stream says, whatever its dialect.

A dialect module has ``decode(text)`` and ``encode_audio``, ``encode_mark``, ``encode_clear``.
``decode`` raises ``CarrierProtocolError`` for a message that its protocol does not allow; the
stream goes on, save where the error is a ``StreamRefused``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from voicebridge.errors import CarrierProtocolError


class StreamRefused(CarrierProtocolError):
    """A media stream that cannot be served at all, such as another audio format."""


@dataclass(frozen=True, slots=True)
class Connected:
    """The carrier has opened the socket; the stream is still to start."""


@dataclass(frozen=True, slots=True)
class Started:
    """The stream starts. ``parameters`` are those of our own answer to the webhook."""

    stream_id: str
    call_id: str
    account_id: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Media:
    """Audio of the caller: base64 mu-law as it came, checked to be such.

    ``timestamp_ms`` is the carrier's clock, counted from the start of the stream.
    """

    payload: str
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Marked:
    """A mark of ours came back."""

    name: str


@dataclass(frozen=True, slots=True)
class Pressed:
    """The caller pressed a key."""

    digit: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Stopped:
    """The stream ends: the caller hung up, or the call was taken elsewhere."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message of a kind that this dialect does not know; to be passed over."""

    kind: str


Message = Connected | Started | Media | Marked | Pressed | Stopped | Unknown
