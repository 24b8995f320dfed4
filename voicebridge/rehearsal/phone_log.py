"""What a call left behind at the telephone: the truth that everything else is judged by.

Two clocks run through it. ``*_at`` are monotonic seconds of this process. ``*_ms`` are the
carrier's own clock: how much has been played out since the media stream began, in steps of
20 ms. Byte ``carrier_ms * 8`` of ``sent_audio`` and of ``heard_audio`` belong to that moment.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

EndedBy = Literal["", "bridge", "caller", "carrier", "deadline"]

VIOLATIONS_KEPT = 1000


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """A media stream of this call: its first frame was due at ``started_at``, ``carrier_ms``.

    A call that is redirected to a second stream has two; the carrier's clock stands in between.
    """

    stream_sid: str
    connected_at: float
    started_at: float
    carrier_ms: int


@dataclass(frozen=True, slots=True)
class Received:
    """One media message that reached the phone, at ``stream_offset`` of all it received."""

    at: float
    stream_offset: int
    nbytes: int
    carrier_ms: int


@dataclass(slots=True)
class PlayedSpan:
    """An unbroken run of agent audio that began to play at ``carrier_ms``."""

    carrier_ms: int
    received_offset: int
    nbytes: int

    @property
    def end_offset(self) -> int:
        """Tell the received offset just behind the run."""
        return self.received_offset + self.nbytes

    @property
    def end_ms(self) -> int:
        """Tell when the run was over, in whole ms rounded up."""
        return self.carrier_ms + -(-self.nbytes // 8)


@dataclass(frozen=True, slots=True)
class Clear:
    """The queue was emptied: all before ``played_received_offset`` played, the rest dropped.

    ``arrived_at`` is when the message came off the socket, before the simulated network's delay.
    """

    at: float
    carrier_ms: int
    played_received_offset: int
    dropped_bytes: int
    arrived_at: float

    @property
    def received_offset(self) -> int:
        """Tell how many bytes had been received when the clear took effect."""
        return self.played_received_offset + self.dropped_bytes


@dataclass(slots=True)
class Mark:
    """A mark at a byte position; ``played`` is False when a clear or the end sent it back."""

    name: str
    at_received: float
    received_offset: int
    echoed_at: float | None = None
    echoed_ms: int | None = None
    played: bool = False


@dataclass(slots=True)
class CallerSpeech:
    """What the caller said aloud, from the first audible frame to the end of the last."""

    text: str
    start_ms: int
    end_ms: int | None = None


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """A key of the caller's telephone."""

    digit: str
    carrier_ms: int


@dataclass(frozen=True, slots=True)
class VerbDone:
    """A verb that the carrier carried out, other than the stream itself, and how it went."""

    text: str
    carrier_ms: int


@dataclass(frozen=True, slots=True)
class Violation:
    """A message that the carrier dropped, with the warning code it files for that."""

    code: int
    message: str
    at: float


@dataclass(frozen=True, slots=True)
class DocumentRead:
    """A TwiML document fetched from ``url``; ``verbs`` are those read, in order."""

    url: str
    text: str
    verbs: tuple[str, ...]


@dataclass(slots=True)
class PhoneLog:
    """Everything that happened at the phone during one call.

    ``received`` audio beyond the queue's limit is refused at the door: it is counted in
    ``refused_bytes`` and is not part of ``received_audio``. ``lost_at_close`` holds what was
    still queued when a stream ended, in the same words as a clear.
    """

    call_sid: str = ""
    network_delay_ms: int = 0
    jitter_ms: int = 0

    answered_at: float | None = None
    streams: list[StreamOpened] = field(default_factory=list)
    first_agent_audio_at: float | None = None
    ended_at: float | None = None
    ended_by: EndedBy = ""
    close_code: int | None = None

    sent_audio: bytearray = field(default_factory=bytearray)
    frames_sent: int = 0
    late_ticks: int = 0
    caller_speech: list[CallerSpeech] = field(default_factory=list)
    keys: list[KeyPressed] = field(default_factory=list)

    received: list[Received] = field(default_factory=list)
    received_audio: bytearray = field(default_factory=bytearray)
    refused_bytes: int = 0
    heard_audio: bytearray = field(default_factory=bytearray)
    played: list[PlayedSpan] = field(default_factory=list)
    clears: list[Clear] = field(default_factory=list)
    lost_at_close: list[Clear] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)

    documents: list[DocumentRead] = field(default_factory=list)
    verbs_after_stream: list[str] = field(default_factory=list)
    verbs_done: list[VerbDone] = field(default_factory=list)
    protocol_violations: list[Violation] = field(default_factory=list)
    violation_count: int = 0
    errors: list[str] = field(default_factory=list)

    @property
    def stream_sid(self) -> str:
        """Tell the latest stream's id, empty before the first."""
        return self.streams[-1].stream_sid if self.streams else ""

    @property
    def connected_at(self) -> float | None:
        """Tell when the first media websocket stood open."""
        return self.streams[0].connected_at if self.streams else None

    @property
    def duration_ms(self) -> int:
        """Tell how much was played out, in ms of the carrier's clock."""
        return len(self.heard_audio) // 8

    def carrier_ms_of(self, at: float) -> float:
        """Convert monotonic seconds to the carrier's clock; negative before the first stream."""
        if not self.streams:
            return 0.0
        stream = next((s for s in reversed(self.streams) if s.started_at <= at), self.streams[0])
        return stream.carrier_ms + (at - stream.started_at) * 1000.0

    def violate(self, code: int, message: str, at: float) -> None:
        """File a violation; only the first thousand are kept word for word, all are counted."""
        self.violation_count += 1
        if len(self.protocol_violations) < VIOLATIONS_KEPT:
            self.protocol_violations.append(Violation(code, message, at))
