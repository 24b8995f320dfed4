"""The websocket's bytes: judged by the websockets package, and cut into any pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from voicebridge.server.frames import (
    BINARY,
    CLOSE,
    PING,
    PROTOCOL_ERROR,
    TEXT,
    TOO_BIG,
    FrameReader,
    frame,
)

LIMIT = 70_000
KINDS = {TEXT: Opcode.TEXT, BINARY: Opcode.BINARY, PING: Opcode.PING, CLOSE: Opcode.CLOSE}


def sent(opcode: Opcode, body: bytes, *, fin: bool = True, mask: bool = True) -> bytes:
    return Frame(opcode, body, fin).serialize(mask=mask)


def read(reader: FrameReader, data: bytes, cuts: list[int]) -> list[tuple[int, bytes]]:
    messages, start = [], 0
    for stop in [*sorted(cut % (len(data) + 1) for cut in cuts), len(data)]:
        messages += reader.feed(data[start:stop])
        start = stop
    return messages


messages = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([TEXT, BINARY]), st.binary(max_size=400)),
        st.tuples(st.just(PING), st.binary(max_size=125)),
        st.tuples(st.just(TEXT), st.integers(126, LIMIT).map(bytes)),
    ),
    max_size=6,
)


@given(messages, st.lists(st.integers(0, 1 << 20), max_size=8))
def test_whatever_pieces_it_comes_in_the_same_messages_are_read(
    wanted: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    data = b"".join(sent(KINDS[opcode], body) for opcode, body in wanted)
    reader = FrameReader(LIMIT)
    assert read(reader, data, cuts) == wanted
    assert reader.fault is None


@given(messages, st.integers(0, 20))
def test_one_whole_message_is_read_at_once_as_it_would_be_otherwise(
    wanted: list[tuple[int, bytes]], cut: int
) -> None:
    data = b"".join(sent(KINDS[opcode], body) for opcode, body in wanted)
    data = data[: len(data) - cut]
    only = FrameReader(LIMIT).only_text(data)
    if only is not None:
        assert FrameReader(LIMIT).feed(data) == [(TEXT, only)]


def test_a_carriers_frame_is_read_at_once_unless_something_came_before_it() -> None:
    data = sent(Opcode.TEXT, bytes(330))
    reader = FrameReader(LIMIT)
    assert reader.only_text(data) == bytes(330)
    reader.feed(data[:5])
    assert reader.only_text(data) is None


@given(st.lists(st.binary(max_size=50), min_size=2, max_size=5), st.binary(max_size=10))
def test_a_message_in_fragments_is_put_together_and_a_ping_may_come_between(
    parts: list[bytes], ping: bytes
) -> None:
    data = sent(Opcode.TEXT, parts[0], fin=False) + sent(Opcode.PING, ping)
    for part in parts[1:-1]:
        data += sent(Opcode.CONT, part, fin=False)
    data += sent(Opcode.CONT, parts[-1])
    assert FrameReader(LIMIT).feed(data) == [(PING, ping), (TEXT, b"".join(parts))]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (sent(Opcode.TEXT, b"x", mask=False), PROTOCOL_ERROR),
        (b"\xc1" + sent(Opcode.TEXT, b"x")[1:], PROTOCOL_ERROR),
        (b"\x83" + sent(Opcode.TEXT, b"x")[1:], PROTOCOL_ERROR),
        (sent(Opcode.CONT, b"x"), PROTOCOL_ERROR),
        (sent(Opcode.TEXT, b"x", fin=False) + sent(Opcode.TEXT, b"y"), PROTOCOL_ERROR),
        (b"\x09" + sent(Opcode.PING, b"x")[1:], PROTOCOL_ERROR),
        (b"\x89\xfe\x00\x7e\0\0\0\0" + bytes(126), PROTOCOL_ERROR),
        (sent(Opcode.TEXT, bytes(LIMIT + 1)), TOO_BIG),
        (sent(Opcode.TEXT, bytes(LIMIT), fin=False) + sent(Opcode.CONT, b"x"), TOO_BIG),
    ],
    ids=[
        "unmasked",
        "reserved bit",
        "unknown opcode",
        "a beginning that never was",
        "a text within a text",
        "a ping in fragments",
        "a ping too long",
        "a text too long",
        "fragments too long",
    ],
)
def test_what_a_client_may_not_send_is_a_fault_behind_what_came_before(
    data: bytes, code: int
) -> None:
    reader = FrameReader(LIMIT)
    assert reader.feed(sent(Opcode.TEXT, b"before") + data) == [(TEXT, b"before")]
    assert reader.fault is not None
    assert reader.fault.code == code
    assert reader.feed(sent(Opcode.TEXT, b"behind")) == []


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536])
def test_what_is_written_is_what_the_websockets_package_writes(size: int) -> None:
    body = bytes(size)
    assert frame(TEXT, body) == Frame(Opcode.TEXT, body).serialize(mask=False)
