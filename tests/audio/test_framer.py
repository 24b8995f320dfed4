"""Any bytes in, whole frames out."""

from hypothesis import given
from hypothesis import strategies as st

from voicebridge.audio.format import FRAME_BYTES, SILENCE_BYTE, ms_to_bytes, silence, whole_ms
from voicebridge.audio.framer import Framer


@given(st.lists(st.binary(max_size=500)))
def test_whole_frames_come_out_in_order_and_nothing_is_lost(chunks: list[bytes]) -> None:
    framer = Framer()
    out = b""
    for chunk in chunks:
        frames = framer.push(chunk)
        assert len(frames) % FRAME_BYTES == 0
        out += frames
    held = len(framer)
    assert held < FRAME_BYTES
    tail = framer.flush()
    everything = b"".join(chunks)
    assert (out + tail)[: len(everything)] == everything
    assert set((out + tail)[len(everything) :]) <= {SILENCE_BYTE}
    assert len(tail) == (FRAME_BYTES if held else 0)


def test_a_flushed_framer_holds_nothing() -> None:
    framer = Framer()
    framer.push(b"abc")
    framer.flush()
    assert framer.flush() == b""


def test_a_dropped_rest_never_comes_out() -> None:
    framer = Framer()
    framer.push(b"abc")
    framer.drop()
    assert framer.push(bytes(FRAME_BYTES)) == bytes(FRAME_BYTES)


def test_eight_bytes_are_a_millisecond() -> None:
    assert (whole_ms(159), ms_to_bytes(20), silence(3)) == (19, 160, b"\xff\xff\xff")
