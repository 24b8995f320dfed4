"""A server's end of a websocket as bytes: what a client sent, and what to write (RFC 6455).

Text messages, pings and closes; no extensions. It does no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator

try:
    from websockets.speedups import apply_mask  # in C, and some machines lack it
except ImportError:
    from websockets.utils import apply_mask

_CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_WHOLE_TEXT = 0x81
_FINAL, _RESERVED, _OPCODE, _MASKED, _LENGTH = 0x80, 0x70, 0x0F, 0x80, 0x7F
_MOST_CONTROL_BYTES = 125
_USUAL_HEAD = bytes((_WHOLE_TEXT, _MASKED | 126))

PROTOCOL_ERROR, NOT_TEXT, TOO_BIG = 1002, 1007, 1009


class FrameError(Exception):
    """What a client may not send; ``code`` is that of the close it gets for it."""

    def __init__(self, message: str, code: int = PROTOCOL_ERROR) -> None:
        super().__init__(message)
        self.code = code


class FrameReader:
    """Turns what a client sends into messages, whatever pieces it comes in."""

    __slots__ = ("_between", "_gathered", "_kind", "_most_bytes", "_parts", "_rest", "fault")

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self.fault: FrameError | None = None
        self._between = False  # in the middle of a frame or of a message, or behind a fault
        self._rest = b""
        self._kind = _CONTINUATION
        self._parts: list[bytes] = []
        self._gathered = 0

    def only_text(self, data: bytes) -> bytes | None:
        """Return the text if ``data`` is one whole text message of up to 65535 bytes, no more.

        That is how nearly every message of a carrier comes. None leaves it to ``feed``.
        """
        size = len(data) - 8
        if size < 124:
            short = size >= 0 and data[0] == _WHOLE_TEXT and data[1] == _MASKED | size + 2
            return apply_mask(data[6:], data[2:6]) if short and not self._between else None
        if (
            size < 126
            or data[:2] != _USUAL_HEAD
            or (data[2] << 8 | data[3]) != size
            or size > self._most_bytes
            or self._between
        ):
            return None
        return apply_mask(data[8:], data[4:8])

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Return the messages that are complete, with their opcode, up to a fault if there is one.

        After a fault, which stands in ``fault`` then, nothing more is read.
        """
        complete: list[tuple[int, bytes]] = []
        if self.fault is None:
            try:
                self._cut(data, complete)
            except FrameError as error:
                self.fault = error
        self._between = bool(self._rest) or bool(self._kind) or self.fault is not None
        return complete

    def _cut(self, data: bytes, complete: list[tuple[int, bytes]]) -> None:
        if self._rest:
            data, self._rest = self._rest + data, b""
        start, size = 0, len(data)
        while size - start >= 2:
            length, at = data[start + 1], start + 2
            if not length & _MASKED:
                raise FrameError("a frame that is not masked")
            length &= _LENGTH
            if length >= 126:
                at += 2 if length == 126 else 8
                if size < at:
                    break
                length = int.from_bytes(data[start + 2 : at], "big")
            if length > self._most_bytes:
                raise FrameError(
                    f"a message of {length} bytes, over the limit of {self._most_bytes}", TOO_BIG
                )
            end = at + 4 + length
            if size < end:
                break
            body = apply_mask(data[at + 4 : end], data[at : at + 4])
            if data[start] == _WHOLE_TEXT and not self._kind:
                complete.append((TEXT, body))
            else:
                complete += self._other(data[start], body)
            start = end
        if start < size:
            self._rest = data[start:]

    def _other(self, first: int, body: bytes) -> Iterator[tuple[int, bytes]]:
        opcode = first & _OPCODE
        if first & _RESERVED:
            raise FrameError("a frame of an extension that was not agreed")
        if opcode in {CLOSE, PING, PONG}:
            if not first & _FINAL or len(body) > _MOST_CONTROL_BYTES:
                raise FrameError("a control frame in parts, or too long")
            yield opcode, body
            return
        if opcode not in {_CONTINUATION, TEXT, BINARY} or bool(opcode) == bool(self._kind):
            raise FrameError("a frame that is out of place")
        self._kind = self._kind or opcode
        self._parts.append(body)
        self._gathered += len(body)
        if self._gathered > self._most_bytes:
            raise FrameError(f"a message of more than {self._most_bytes} bytes", TOO_BIG)
        if first & _FINAL:
            yield self._kind, b"".join(self._parts)
            self._kind, self._parts, self._gathered = _CONTINUATION, [], 0


def frame(opcode: int, body: bytes) -> bytes:
    """Write a whole message as a server does: in one frame, without a mask."""
    size = len(body)
    if size < 126:
        return bytes((_FINAL | opcode, size)) + body
    if size < 65536:
        return bytes((_FINAL | opcode, 126, size >> 8, size & 0xFF)) + body
    return bytes((_FINAL | opcode, 127)) + size.to_bytes(8, "big") + body
