"""The websocket end of the load bench: cheap, and right however the bytes come."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebridge.rehearsal.load_wire import WireEnd

REQUEST = b"GET /x HTTP/1.1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
ACCEPTED = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"  # RFC 6455, section 1.3
KEY = b"\x37\xfa\x21\x3d"


class Wire:
    """What an end takes for its transport."""

    def __init__(self) -> None:
        self.written, self.closed = b"", False

    def get_extra_info(self, _name: str) -> None:
        return None

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    abort = close


class Taking(WireEnd):
    """An end that keeps what it is told."""

    def __init__(self, path: str | None) -> None:
        super().__init__(path)
        self.wire, self.texts = Wire(), list[bytes]()
        self.connection_made(cast(asyncio.BaseTransport, self.wire))

    def take(self, text: bytes) -> None:
        self.texts.append(text)


def server_end() -> Taking:
    end = Taking(None)
    end.data_received(REQUEST)
    assert ACCEPTED in end.wire.written
    end.wire.written = b""
    return end


def frame(text: bytes, *, masked: bool, opcode: int = 1, fin: bool = True) -> bytes:
    flag, size = 0x80 if masked else 0, len(text)
    head = bytes(((0x80 if fin else 0) | opcode,))
    if size < 126:
        head += bytes((flag | size,))
    elif size < 65536:
        head += bytes((flag | 126,)) + size.to_bytes(2, "big")
    else:
        head += bytes((flag | 127,)) + size.to_bytes(8, "big")
    if not masked:
        return head + text
    return head + KEY + bytes(byte ^ KEY[at % 4] for at, byte in enumerate(text))


def pieces(data: bytes, sizes: list[int]) -> list[bytes]:
    found, start = [], 0
    for size in [*sizes, len(data)]:
        found.append(data[start : start + size])
        start += size
    return [piece for piece in found if piece]


@given(
    st.lists(st.binary(max_size=400), max_size=6),
    st.lists(st.integers(1, 300), max_size=12),
)
def test_messages_are_whole_and_in_order_however_the_bytes_come(
    texts: list[bytes], sizes: list[int]
) -> None:
    end = server_end()
    for piece in pieces(b"".join(frame(text, masked=True) for text in texts), sizes):
        end.data_received(piece)
    assert end.texts == texts


@pytest.mark.parametrize("size", [0, 125, 126, 300, 65_535, 65_536])
@pytest.mark.parametrize("as_server", [True, False])
def test_one_message_at_a_time_is_taken_whatever_its_length(size: int, as_server: bool) -> None:
    end = server_end() if as_server else Taking("/x")
    if not as_server:
        end.data_received(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
    for text in (b"a" * size, b"b" * size):
        end.data_received(frame(text, masked=as_server))
        assert end.texts.pop() == text


def test_a_message_in_parts_is_put_together_and_a_ping_between_them_answered() -> None:
    end = server_end()
    end.data_received(frame(b"x" * 200, masked=True, fin=False))
    end.data_received(frame(b"hello", masked=True, opcode=9))
    end.data_received(frame(b"y" * 200, masked=True, opcode=0))
    assert end.texts == [b"x" * 200 + b"y" * 200]
    assert end.wire.written == frame(b"hello", masked=False, opcode=10)


def test_a_close_is_answered_and_ends_the_connection() -> None:
    end = server_end()
    end.data_received(frame(b"\x03\xe8", masked=True, opcode=8))
    assert end.wire.written == frame(b"\x03\xe8", masked=False, opcode=8)
    assert end.wire.closed


def test_a_handshake_in_pieces_is_read_and_an_endless_one_is_not() -> None:
    end = Taking(None)
    for piece in pieces(REQUEST + frame(b"at once", masked=True), [10, 30, 60]):
        end.data_received(piece)
    assert end.texts == [b"at once"]
    endless: Any = Taking(None)
    endless.data_received(b"GET /x HTTP/1.1\r\n" + b"x" * 20_000)
    assert endless.wire.closed


def test_a_refused_client_hangs_up() -> None:
    end = Taking("/x")
    end.data_received(b"HTTP/1.1 404 Not Found\r\n\r\n")
    assert end.wire.closed
