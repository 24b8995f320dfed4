"""Frames that tell who sent them, when and in which order: what happens to them is known.

A stamped frame is 20 ms of mu-law to whoever carries it. It begins with a head (call, run, number,
the nanosecond of its sending) and a checksum of that, and goes on with a filling that both ends
know. A *run* is a stretch of speech: all that a caller says is run 0, each reply of a model's is
the next.
"""

from __future__ import annotations

import random
import struct
from array import array
from binascii import a2b_base64, b2a_base64
from dataclasses import dataclass, field
from typing import NamedTuple
from zlib import crc32

FRAME_BYTES = 160
SILENCE = b"\xff" * FRAME_BYTES

_HEAD = struct.Struct(">2sHIIQ")
_CRC = struct.Struct(">I")
_MAGIC = b"vb"
_BODY_FROM = _HEAD.size + _CRC.size
_FILLING = random.Random("voicebridge load").randbytes(FRAME_BYTES - _BODY_FROM)


class Stamp(NamedTuple):
    """The head of a frame."""

    call: int
    run: int
    number: int
    sent_ns: int


def stamped(call: int, run: int, number: int, sent_ns: int) -> bytes:
    """Write a frame."""
    head = _HEAD.pack(_MAGIC, call, run, number, sent_ns)
    return head + _CRC.pack(crc32(head)) + _FILLING


def read_stamp(frame: bytes) -> Stamp | None:
    """Read a frame; None if a byte of it is not as it was written."""
    if len(frame) != FRAME_BYTES or frame[_BODY_FROM:] != _FILLING:
        return None
    return _read_head(frame)


def _read_head(frame: bytes) -> Stamp | None:
    head = frame[: _HEAD.size]
    magic, call, run, number, sent_ns = _HEAD.unpack(head)
    if magic != _MAGIC or _CRC.unpack_from(frame, _HEAD.size)[0] != crc32(head):
        return None
    return Stamp(call, run, number, sent_ns)


# The head is a whole number of base64's groups, so that its text is a matter of its own, and that
# of the filling is always the same.
_HEAD_CHARS = _BODY_FROM // 3 * 4
_FILLING_TEXT = b2a_base64(_FILLING, newline=False)
FRAME_CHARS = _HEAD_CHARS + len(_FILLING_TEXT)


def stamped_text(call: int, run: int, number: int, sent_ns: int) -> bytes:
    """Write a frame as base64: the same as of ``stamped``, for less."""
    head = _HEAD.pack(_MAGIC, call, run, number, sent_ns)
    return b2a_base64(head + _CRC.pack(crc32(head)), newline=False) + _FILLING_TEXT


def read_stamp_text(text: bytes) -> Stamp | None:
    """Read a frame written as base64; None if it is anything else, or not as it was written."""
    if len(text) != FRAME_CHARS or not text.endswith(_FILLING_TEXT):
        return None
    try:
        return _read_head(a2b_base64(text[:_HEAD_CHARS]))
    except (ValueError, struct.error):
        return None


@dataclass(slots=True)
class Arrivals:
    """What came of the stamped frames of one direction of one call.

    ``latency_ms`` holds those of the frames sent from ``measure_from_ns`` on.
    """

    measure_from_ns: int = 1 << 62
    latency_ms: array[float] = field(default_factory=lambda: array("f"))
    came: dict[int, int] = field(default_factory=dict)
    """How many frames of each run have come, each counted once."""
    repeated: int = 0
    swapped: int = 0
    altered: int = 0
    filled: int = 0
    _next: dict[int, int] = field(default_factory=dict)
    _missing: set[tuple[int, int]] = field(default_factory=set)
    _rest: bytes = b""

    def take_text(self, payload: bytes, now_ns: int) -> Stamp | None:
        """Take in audio as base64: mostly one whole frame, which costs next to nothing."""
        stamp = None if self._rest else read_stamp_text(payload)
        if stamp is None:
            return self.take(a2b_base64(payload), now_ns)
        self._count(stamp, now_ns)
        return stamp

    def take(self, audio: bytes, now_ns: int) -> Stamp | None:
        """Take in audio of any length and return the last stamp in it."""
        if self._rest:
            audio, self._rest = self._rest + audio, b""
        last = None
        for start in range(0, len(audio), FRAME_BYTES):
            frame = audio[start : start + FRAME_BYTES]
            if len(frame) < FRAME_BYTES:
                self._rest = frame
            elif (stamp := read_stamp(frame)) is not None:
                last = stamp
                self._count(stamp, now_ns)
            elif frame == SILENCE:
                self.filled += 1
            else:
                self.altered += 1
        return last

    def _count(self, stamp: Stamp, now_ns: int) -> None:
        run, number = stamp.run, stamp.number
        due = self._next.get(run, 0)
        if number < due:
            if (run, number) not in self._missing:
                self.repeated += 1
                return
            self._missing.discard((run, number))
            self.swapped += 1
        else:
            if number > due:
                self._missing.update((run, absent) for absent in range(due, number))
            self._next[run] = number + 1
        self.came[run] = self.came.get(run, 0) + 1
        if stamp.sent_ns >= self.measure_from_ns:
            self.latency_ms.append((now_ns - stamp.sent_ns) / 1e6)
