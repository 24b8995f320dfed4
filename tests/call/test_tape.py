"""What a recording keeps of the agent is, byte for byte, what the telephone played."""

from collections import deque
from random import Random

import pytest

from voicebridge.call import commands as do
from voicebridge.call.tape import TapedPlayout
from voicebridge.rehearsal.phone import SILENCE_FRAME, Phone
from voicebridge.rehearsal.phone_log import PhoneLog

RESPONSE = "r"


class Line:
    """A taped playout and a telephone, joined by a network with delay and jitter; steps of 1 ms.

    What comes in is played from the next tick of the carrier's clock on, every 20 ms, and nothing
    on the network overtakes anything.
    """

    def __init__(self, chance: Random, *, delay_ms: int, jitter_ms: int, **options: int) -> None:
        self.playout, self.phone = TapedPlayout(**options), Phone(PhoneLog())
        self.now_ms = self.clock_ms = 0
        self.kept = bytearray()
        self._chance, self._delay_ms, self._jitter_ms = chance, delay_ms, jitter_ms
        self._to_phone: deque[tuple[int, do.Command]] = deque()
        self._to_us: deque[tuple[int, int | str]] = deque()
        self.echoes_marks, self.uneven = True, False
        self._held: list[str] = []

    def carry_out(self, commands: list[do.Command]) -> None:
        for command in commands:
            if isinstance(command, do.KeepHeard):
                assert command.at_bytes >= len(self.kept), "laid twice"
                self.kept += b"\xff" * (command.at_bytes - len(self.kept)) + command.audio
            else:
                self._to_phone.append((self._arrival(self._to_phone), command))

    def pump(self) -> None:
        self.playout.settle(self.clock_ms)
        self.carry_out(self.playout.take(self.clock_ms))

    def pass_ms(self, duration_ms: int) -> None:
        for _ in range(duration_ms):
            while self._to_phone and self._to_phone[0][0] <= self.now_ms:
                self._obey(self._to_phone.popleft()[1])
            if self.now_ms % 20 == 0:
                self._tick()
            while self._to_us and self._to_us[0][0] <= self.now_ms:
                self._listen(self._to_us.popleft()[1])
            self.now_ms += 1

    def speak(self, audio: bytes, item: str, *, last: bool = False) -> None:
        self.playout.push(f"{RESPONSE}-{item}", item, 0, audio)
        if last:
            self.playout.finish(item)
        self.pump()

    def hang_up(self) -> None:
        """Let the caller hang up: all that was said before still comes in."""
        while self._to_us:
            self._listen(self._to_us.popleft()[1])
        self.playout.cut(self.clock_ms)
        self.playout.expire(self.clock_ms, awaited=False)
        self.pump()

    def _tick(self) -> None:
        """Let 20 ms pass; the marks that are reached come back behind the frame, or one later."""
        self._say(self.phone.carrier_ms)
        self._echo(self._held)
        self._held = self.phone.tick(SILENCE_FRAME, self.now_ms)
        if not self.uneven or self._chance.random() < 0.5:
            self._echo(self._held)
            self._held = []

    def _obey(self, command: do.Command) -> None:
        match command:
            case do.SendAudio(audio):
                self.phone.receive(audio, self.now_ms)
            case do.SendMark(name):
                self._echo(self.phone.mark(name, self.now_ms))
            case do.SendClear():
                self._echo(self.phone.clear(self.now_ms))

    def _listen(self, told: int | str) -> None:
        if isinstance(told, int):
            self.clock_ms = told
        else:
            self.playout.echoed(told, self.clock_ms)
            self.pump()

    def _echo(self, names: list[str]) -> None:
        for name in names if self.echoes_marks else ():
            self._say(name)

    def _say(self, told: int | str) -> None:
        self._to_us.append((self._arrival(self._to_us), told))

    def _arrival(self, queue: deque[tuple[int, do.Command]] | deque[tuple[int, int | str]]) -> int:
        due = self.now_ms + self._delay_ms + self._chance.randint(0, self._jitter_ms)
        return max(due, queue[-1][0] if queue else 0)


STEADY = pytest.mark.parametrize("network", [(0, 0), (30, 0), (110, 0)])
UNEVEN = pytest.mark.parametrize("network", [(0, 0), (75, 25)])


def open_line(chance: Random, network: tuple[int, int], **options: int) -> Line:
    line = Line(chance, delay_ms=network[0], jitter_ms=network[1], **options)
    line.pass_ms(chance.randint(1, 400))
    return line


def cut_now_and_then(line: Line, number: int, chance: Random) -> None:
    if chance.random() < 0.5:
        line.carry_out(line.playout.cut(line.clock_ms, f"{RESPONSE}-a{number}"))
        line.pass_ms(chance.choice([1, 250, 500]))


def heard_by(line: Line) -> bytes:
    return bytes(line.phone.log.heard_audio)


def played(line: Line) -> bytes:
    """What the telephone played, up to where the recording ends: only silence may be missing."""
    heard = bytes(line.phone.log.heard_audio)
    assert set(heard[len(line.kept) :]) <= {0xFF}
    return heard[: len(line.kept)]


@UNEVEN
@pytest.mark.parametrize("seed", range(10))
def test_what_nobody_interrupts_is_where_it_was_played_over_any_network(
    seed: int, network: tuple[int, int]
) -> None:
    chance = Random(seed)
    line = open_line(chance, network)
    for number in range(4):
        line.speak(chance.randbytes(chance.choice([160, 2400, 16_000])), f"a{number}", last=True)
        line.pass_ms(chance.choice([1, 900, 2500]))
    line.pass_ms(8000)
    line.hang_up()
    assert len(line.kept) > 500
    assert bytes(line.kept) == played(line)


@STEADY
@pytest.mark.parametrize("seed", range(30))
def test_of_a_model_that_is_faster_than_the_ear_every_byte_is_where_it_was_played(
    seed: int, network: tuple[int, int]
) -> None:
    chance = Random(seed)
    line = open_line(chance, network)
    for number in range(5):
        for _ in range(chance.randint(1, 4)):
            line.speak(chance.randbytes(chance.choice([160, 1000, 2400, 8000])), f"a{number}")
        line.playout.finish(f"a{number}")
        line.pump()
        line.pass_ms(chance.choice([1, 100, 900, 2500]))
        cut_now_and_then(line, number, chance)
    line.pass_ms(chance.choice([200, 3000]))
    line.hang_up()
    assert len(line.kept) > 4000
    assert bytes(line.kept) == played(line)


@STEADY
@pytest.mark.parametrize("seed", range(30))
def test_what_a_pause_stops_and_sends_again_is_kept_once_where_it_was_heard(
    seed: int, network: tuple[int, int]
) -> None:
    chance = Random(seed)
    line = open_line(chance, network, lead_ms=350)
    for number in range(3):
        line.speak(chance.randbytes(16_000), f"a{number}", last=True)
        for _ in range(20):
            line.pass_ms(100)
            line.pump()
            if chance.random() < 0.1:
                line.carry_out(line.playout.pause(line.clock_ms))
                line.pass_ms(chance.choice([400, 800]))
                line.playout.resume()
                line.pump()
        cut_now_and_then(line, number, chance)
    line.pass_ms(1500)
    line.hang_up()
    assert bytes(line.kept) == played(line)


@UNEVEN
@pytest.mark.parametrize("seed", range(30))
def test_of_a_model_that_keeps_the_ear_waiting_nothing_is_lost_and_hardly_anything_moved(
    seed: int, network: tuple[int, int]
) -> None:
    chance = Random(seed)
    line = open_line(chance, network)
    for piece in range(25):
        audio = bytes([piece]) * chance.choice([160, 480, 1000])
        line.speak(audio, "a", last=piece == 24)
        line.pass_ms(chance.choice([5, 60, 150, 400]))
    line.pass_ms(4000)
    line.hang_up()
    heard, kept = bytes(line.phone.log.heard_audio), bytes(line.kept)
    assert kept.replace(b"\xff", b"") == heard.replace(b"\xff", b"")
    assert {abs(kept.find(piece) - heard.find(piece)) // 8 for piece in range(25)} <= {0, 20, 40}


def test_a_carrier_that_returns_no_marks_is_believed_by_the_clock() -> None:
    chance = Random(1)
    line = open_line(chance, (30, 0))
    line.echoes_marks = False
    for number in range(3):
        line.speak(chance.randbytes(24_000), f"a{number}", last=True)
        line.pass_ms(5000)
        line.pump()
    kept = len(line.kept)
    line.hang_up()
    heard = bytes(line.phone.log.heard_audio)
    assert kept > 24_000, "nothing waits for the end of the call"
    assert bytes(line.kept).replace(b"\xff", b"") == heard.replace(b"\xff", b"")


@pytest.mark.parametrize("seed", range(10))
def test_marks_that_come_a_frame_too_late_tear_no_holes_into_the_words(seed: int) -> None:
    chance = Random(seed)
    line = open_line(chance, (40, 0))
    line.uneven = True
    said = chance.randbytes(40_000).replace(b"\xff", b"\xfe")
    line.speak(said, "a", last=True)
    line.pass_ms(6000)
    line.hang_up()
    assert said[2400:] in bytes(line.kept)
    at, played = (audio.index(said[2400:2500]) for audio in (bytes(line.kept), heard_by(line)))
    assert abs(at - played) <= 3 * 160


def test_a_stretch_that_is_still_at_the_carrier_when_the_call_ends_was_not_heard() -> None:
    chance = Random(1)
    line = open_line(chance, (0, 0))
    line.speak(chance.randbytes(80_000), "a", last=True)
    line.pass_ms(3000)
    line.hang_up()
    assert len(line.kept) < 30_000
    assert bytes(line.kept) == played(line)
