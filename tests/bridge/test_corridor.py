"""The model's clock is the carrier's, whatever frames are lost on the way."""

import base64

from hypothesis import given
from hypothesis import strategies as st

from voicebridge.audio.format import FRAME_BYTES, FRAME_MS, silence
from voicebridge.bridge.corridor import IDLE_TICKS, LONGEST_GAP_MS, Corridor

SILENT = silence(FRAME_BYTES)


class Heard:
    """A model that keeps what it is given."""

    def __init__(self) -> None:
        self.audio = b""

    def append(self, payload: str) -> None:
        self.audio += base64.b64decode(payload, validate=True)

    @property
    def clock_ms(self) -> int:
        return len(self.audio) // 8


def frame(number: int) -> bytes:
    """A frame that no other is like, and that is not silent."""
    return (number + 1).to_bytes(2, "big") * (FRAME_BYTES // 2)


def hear(corridor: Corridor, number: int) -> None:
    corridor.hear(base64.b64encode(frame(number)).decode(), number * FRAME_MS)


@given(came=st.lists(st.booleans(), min_size=1, max_size=200))
def test_the_models_clock_equals_the_carriers_whatever_is_lost(came: list[bool]) -> None:
    corridor, model = Corridor(), Heard()
    corridor.open(model)
    numbers = [number for number, there in enumerate(came) if there]
    for number in numbers:
        hear(corridor, number)
        assert model.clock_ms == (number - numbers[0] + 1) * FRAME_MS
        assert model.audio.endswith(frame(number))
    wanted = [frame(n) if came[n] else SILENT for n in range(len(came))]
    if numbers:
        assert model.audio == b"".join(wanted[numbers[0] : numbers[-1] + 1])
        lost = came[numbers[0] : numbers[-1] + 1].count(False)
        assert corridor.filled_ms == lost * FRAME_MS


@given(count=st.integers(1, 300), opened_after=st.integers(0, 300))
def test_without_gaps_the_bytes_are_exactly_the_input(count: int, opened_after: int) -> None:
    corridor, model = Corridor(), Heard()
    for number in range(count):
        if number == opened_after:
            corridor.open(model)
        hear(corridor, number)
        corridor.tick(0.0)
    if opened_after >= count:
        corridor.open(model)
    assert model.audio == b"".join(frame(number) for number in range(count))
    assert corridor.filled_ms == 0


@given(before=st.integers(1, 20), ticks=st.integers(0, 12), lost=st.integers(0, 400))
def test_a_carrier_that_pauses_leaves_silence_and_the_clocks_meet_again(
    before: int, ticks: int, lost: int
) -> None:
    """Silence is put in by our own clock meanwhile; the next frame sets the clocks right."""
    corridor, model = Corridor(), Heard()
    corridor.open(model)
    for number in range(before):
        hear(corridor, number)
        corridor.tick(0.0)
    for _ in range(ticks):
        corridor.tick(0.0)
    assert (corridor.filled_ms > 0) == (ticks >= IDLE_TICKS)
    carrier_ms, filled_ms = (before + lost) * FRAME_MS, corridor.filled_ms
    hear(corridor, before + lost)
    gap_ms = lost * FRAME_MS
    if filled_ms <= gap_ms <= LONGEST_GAP_MS:
        assert model.clock_ms == carrier_ms + FRAME_MS
        assert corridor.filled_ms == gap_ms


def test_frames_that_were_late_and_not_lost_are_all_passed_on_and_silence_is_let_out() -> None:
    corridor, model = Corridor(), Heard()
    corridor.open(model)
    hear(corridor, 0)
    corridor.tick(0.0)
    for _ in range(IDLE_TICKS):
        corridor.tick(0.0)
    ahead = corridor.filled_ms // FRAME_MS
    assert ahead > 0
    silent = base64.b64encode(SILENT).decode()
    for number in range(1, 2 * ahead + 1):
        spoken = number <= 3
        if spoken:
            hear(corridor, number)
        else:
            corridor.hear(silent, number * FRAME_MS)
    for number in range(1, 4):
        assert frame(number) in model.audio
    assert model.clock_ms == (2 * ahead + 1) * FRAME_MS
    assert corridor.filled_ms == 0


def test_a_bridge_that_is_late_itself_puts_no_silence_in() -> None:
    corridor, model = Corridor(), Heard()
    corridor.open(model)
    hear(corridor, 0)
    for _ in range(20):
        corridor.tick(0.5)
    assert corridor.filled_ms == 0
    assert model.audio == frame(0)


def test_behind_a_closed_valve_the_model_hears_nothing() -> None:
    corridor, model = Corridor(), Heard()
    corridor.open(model)
    corridor.close()
    hear(corridor, 0)
    corridor.tick(0.0)
    assert model.audio == b""
