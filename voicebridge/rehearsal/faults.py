"""Ways in which the simulated realtime server can misbehave, for those who must survive it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

UNKNOWN_EVENT = '{"type":"weather.updated","event_id":"event_w1","outlook":"sunny"}'
MALFORMED_JSON = '{"type":"response.output_audio.delta","delta":'
MALFORMED_EVENT = '{"type":"response.output_audio.delta","event_id":"event_m1","delta":17}'
ERROR_EVENT = (
    '{"type":"error","event_id":"event_e1","error":{"type":"server_error","code":"server_error",'
    '"message":"The server had an error while processing your request.","param":null,'
    '"event_id":null}}'
)


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong; by default nothing does.

    ``refuse_status`` answers the handshake with that HTTP status and, if set, ``retry_after_s``;
    ``hang_handshake`` never answers it. ``created_delay_s`` holds ``session.created`` back.
    ``session_updated`` echoes the session truly, with another audio format, without any format,
    or not at all. ``inject`` are raw texts written once, right after the first event of type
    ``inject_after``. The socket drops ``drop_after_ms`` after ``session.created`` or at the n-th
    appended piece of audio: with ``drop_code`` by a closing handshake, without one it is cut.
    ``fail_response`` is the number (from 0) of a response that ends as failed, without audio.
    """

    refuse_status: int | None = None
    retry_after_s: int | None = None
    hang_handshake: bool = False
    created_delay_s: float = 0.0
    session_updated: Literal["echo", "mismatch", "without_formats", "never"] = "echo"
    inject: tuple[str, ...] = ()
    inject_after: str = "session.updated"
    drop_after_ms: int | None = None
    drop_after_appends: int | None = None
    drop_code: int | None = None
    fail_response: int | None = None
