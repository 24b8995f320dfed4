"""The whole error tree of voicebridge.

::

    VoicebridgeError
    ├── ConfigError(file, line, key)        a setting, persona or rehearsal that cannot be used
    ├── CarrierError
    │   ├── CarrierProtocolError            the carrier sent what its protocol does not allow
    │   └── SignatureError                  a request that the carrier did not sign
    ├── RealtimeError(.permanent)
    │   ├── ConnectError(status)            the connection could not be opened
    │   ├── ConnClosed(code, reason, by_us) the connection is over
    │   ├── RealtimeProtocolError           a malformed event; the next one may be well
    │   ├── SessionMismatch                 the server's session is not the one asked for
    │   └── ServerRejected(type, code, …)   the server refused an event of ours
    └── ToolError
        ├── UnknownTool
        ├── ToolArgumentsInvalid
        └── ToolFailed

A room may add leaves of its own: ``realtime.errors``, ``outbound`` (a call that may not be placed,
a carrier that refuses a request). A hang-up, a barge-in and an unknown event type are events, not
errors; a tool that takes too long is answered by the call's own deadline. Foreign errors are
translated where they come in.
"""

from __future__ import annotations

import re
from pathlib import Path

_LIKE_A_SECRET = re.compile(
    r"""
    (?<![A-Za-z0-9])
    (?: (?:sk|ek|rk|whsec)[-_][A-Za-z0-9_-]{8,}
      | (?=[A-Za-z0-9+=_-]*[a-z])(?=[A-Za-z0-9+=_-]*[A-Z])(?=[A-Za-z0-9+=_-]*[0-9])
        [A-Za-z0-9+=_-]{20,}
      | [0-9a-f]{32,}
    )
    """,
    re.VERBOSE,
)
"""What is pasted into a wrong place may be a key: an error says what is expected there, not it."""


class VoicebridgeError(Exception):
    """Base of every error this package raises on purpose."""


class ConfigError(VoicebridgeError):
    """A setting, persona or rehearsal that cannot be used; names the place and the remedy."""

    def __init__(
        self,
        message: str,
        *,
        file: Path | str | None = None,
        line: int | None = None,
        key: str | None = None,
    ) -> None:
        message = _LIKE_A_SECRET.sub("(what looks like a secret)", message)
        self.message, self.file, self.line, self.key = message, file, line, key
        place = "" if file is None else str(file) if line is None else f"{file}:{line}"
        super().__init__(": ".join(part for part in (place, key, message) if part))


class CarrierError(VoicebridgeError):
    """Something is wrong on the carrier's side of the call."""


class CarrierProtocolError(CarrierError):
    """The carrier sent a message that its protocol does not allow."""


class SignatureError(CarrierError):
    """A request whose signature does not come from the carrier."""


class RealtimeError(VoicebridgeError):
    """Something is wrong on the model's side of the call.

    ``permanent`` tells whether trying again on the same connection is useless.
    """

    permanent: bool = True


class ConnectError(RealtimeError):
    """The connection to the realtime server could not be opened.

    ``status`` is the HTTP status of a refused handshake, or None when none was received.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.request_id, self.retry_after_s = status, request_id, retry_after_s


class ConnClosed(RealtimeError):
    """The connection is over; ``code`` and ``reason`` are those of the closing handshake."""

    def __init__(self, code: int | None, reason: str = "", *, by_us: bool = False) -> None:
        who = "closed by us" if by_us else "closed by the server"
        super().__init__(
            f"connection {who}: {code if code is not None else 'no code'} {reason}".rstrip()
        )
        self.code, self.reason, self.by_us = code, reason, by_us


class RealtimeProtocolError(RealtimeError):
    """A message that is not a well-formed event; the connection stays usable."""

    permanent = False

    def __init__(
        self, message: str, *, event_type: str | None = None, field: str | None = None
    ) -> None:
        super().__init__(message)
        self.event_type, self.field = event_type, field


class SessionMismatch(RealtimeError):
    """The server runs a session that is not the one asked for, such as another audio format."""


class ServerRejected(RealtimeError):
    """The server refused an event of ours; the session goes on unless ``permanent``."""

    permanent = False

    def __init__(
        self,
        message: str,
        *,
        type: str = "",
        code: str | None = None,
        param: str | None = None,
        event_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.type, self.code, self.param, self.event_id = type, code, param, event_id


class ToolError(VoicebridgeError):
    """A tool call that brought no result; the message is written for the model to read."""


class UnknownTool(ToolError):
    """The model asked for a tool that the persona does not have."""


class ToolArgumentsInvalid(ToolError):
    """The model's arguments do not fit the tool's schema."""


class ToolFailed(ToolError):
    """The tool raised an error of its own."""
