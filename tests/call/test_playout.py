"""What has been sent, what has been heard, where a cut falls: as lists of what goes out."""

import pytest

from voicebridge.call import commands as do
from voicebridge.call.playout import Playout, Settled, Verdict

MS = 8
SECOND = bytes(range(250)) * 32


class Phone:
    """A carrier as the facts have it: plays 8 bytes a ms, echoes marks, returns them on clear.

    It shares no code with the playout and knows the truth of what was played.
    """

    def __init__(self) -> None:
        self.now_ms = 0
        self.queue: list[bytes | str] = []
        self.played = b""

    def take(self, commands: list[do.Command]) -> list[str]:
        echoes = []
        for command in commands:
            match command:
                case do.SendAudio(audio):
                    self.queue.append(audio)
                case do.SendMark(name) if self.queue:
                    self.queue.append(name)
                case do.SendMark(name):
                    echoes.append(name)
                case do.SendClear():
                    echoes += [entry for entry in self.queue if isinstance(entry, str)]
                    self.queue.clear()
        return echoes

    def play(self, duration_ms: int) -> list[tuple[int, str]]:
        echoes = []
        for _ in range(duration_ms):
            self.now_ms += 1
            budget = MS
            while self.queue:
                head = self.queue[0]
                if isinstance(head, str):
                    echoes.append((self.now_ms, head))
                    self.queue.pop(0)
                    continue
                if not budget:
                    break
                self.played += head[:budget]
                self.queue[0] = head[budget:]
                budget -= min(budget, len(head))
                if not self.queue[0]:
                    self.queue.pop(0)
        return echoes


class Line:
    """A playout and a phone, joined without delay."""

    def __init__(self, **options: int) -> None:
        self.playout, self.phone = Playout(**options), Phone()
        self.settled: list[Settled] = []

    def pump(self) -> None:
        for name in self.phone.take(self.playout.take(self.phone.now_ms)):
            self.playout.echoed(name, self.phone.now_ms)

    def speak(
        self, audio: bytes, item: str = "a", response: str = "r", *, last: bool = True
    ) -> bool:
        taken = self.playout.push(response, item, 0, audio)
        if last:
            self.playout.finish(item)
        self.pump()
        return taken

    def play(self, duration_ms: int) -> None:
        for _ in range(0, duration_ms, 20):
            for at_ms, name in self.phone.play(20):
                self.playout.echoed(name, at_ms)
            self.settled += self.playout.settle(self.phone.now_ms)
            self.pump()

    def take_settled(self) -> list[Settled]:
        settled, self.settled = [*self.settled, *self.playout.settle(self.phone.now_ms)], []
        return settled

    def cut(self) -> list[do.Command]:
        commands = self.playout.cut(self.phone.now_ms)
        for name in self.phone.take(commands):
            self.playout.echoed(name, self.phone.now_ms)
        return commands


@pytest.mark.parametrize(
    ("size_bytes", "pieces"),
    [
        (400, [480]),
        (3000, [480, 2560]),  # a piece of up to 400 ms stays whole
        (7000, [480, 1600, 1600, 1600, 1760]),
    ],
)
def test_audio_goes_out_in_whole_frames_between_marks(size_bytes: int, pieces: list[int]) -> None:
    playout = Playout()
    playout.push("r", "a", 0, SECOND[:size_bytes])
    playout.finish("a")
    out = playout.take(0)
    assert [type(command) for command in out] == [
        do.SendMark,
        *(kind for _ in pieces for kind in (do.SendAudio, do.SendMark)),
    ]
    assert [len(command.audio) for command in out if isinstance(command, do.SendAudio)] == pieces


def test_everything_sent_is_what_came_in_unaltered() -> None:
    line = Line()
    for start in range(0, 8000, 333):
        line.speak(SECOND[start : start + 333], last=False)
    line.playout.finish("a")
    line.pump()
    assert not line.playout.hearing(0).drained
    line.play(1100)
    assert line.phone.played == SECOND
    assert line.playout.hearing(1100).drained


def test_an_item_heard_to_its_end_is_settled_whole() -> None:
    line = Line()
    line.speak(SECOND)
    line.play(980)
    assert line.take_settled() == []
    line.play(40)
    assert line.take_settled() == [Settled("a", 0, Verdict.WHOLE, 1000, 1000)]


def test_a_cut_in_the_middle_truncates_to_what_the_phone_played() -> None:
    line = Line()
    line.speak(SECOND)
    line.play(460)
    commands = line.cut()
    assert isinstance(commands[0], do.SendClear)
    assert line.take_settled() == [Settled("a", 0, Verdict.PART, 460, 1000)]


def test_the_clear_goes_out_before_anything_else_and_a_probe_right_behind() -> None:
    line = Line()
    line.speak(SECOND)
    line.play(100)
    commands = line.playout.cut(line.phone.now_ms)
    assert [type(command) for command in commands] == [do.SendClear, do.SendMark]
    assert line.playout.hearing(line.phone.now_ms).settling


def test_every_queued_item_is_settled_whole_part_or_none() -> None:
    line = Line()
    line.speak(SECOND, "a")
    line.speak(SECOND, "b")
    line.speak(SECOND, "c", "r2")
    line.play(1500)
    line.cut()
    assert line.take_settled() == [
        Settled("a", 0, Verdict.WHOLE, 1000, 1000),
        Settled("b", 0, Verdict.PART, 500, 1000),
        Settled("c", 0, Verdict.NONE, 0, 1000),
    ]


def test_a_cut_before_the_first_byte_hears_nothing() -> None:
    line = Line()
    line.speak(SECOND)
    line.cut()
    assert line.take_settled() == [Settled("a", 0, Verdict.NONE, 0, 1000)]


def test_late_audio_of_a_cut_response_is_dropped() -> None:
    line = Line()
    line.speak(SECOND, last=False)
    line.play(200)
    line.cut()
    assert not line.speak(SECOND, last=False)
    assert not line.speak(SECOND, "b", last=False)
    assert line.speak(SECOND, "c", "r2")
    line.play(1100)
    assert line.phone.played[1600:] == SECOND


def test_speech_when_nothing_is_left_to_hear_cuts_nothing() -> None:
    line = Line()
    line.speak(SECOND)
    line.play(1100)
    assert line.cut() == []
    assert [settled.verdict for settled in line.take_settled()] == [Verdict.WHOLE]


def test_an_item_still_being_spoken_is_truncated_even_if_all_that_came_was_heard() -> None:
    line = Line()
    line.speak(SECOND, last=False)
    line.play(1200)
    assert line.cut() == []
    assert line.take_settled() == [Settled("a", 0, Verdict.PART, 1000, 1000)]


def test_without_an_echo_the_last_round_trip_stands_in() -> None:
    line = Line()
    line.speak(SECOND)
    line.play(300)
    line.playout.cut(line.phone.now_ms)
    line.playout.expire(line.phone.now_ms + 600)
    assert line.take_settled() == [Settled("a", 0, Verdict.PART, 300, 1000)]
    assert line.playout.hearing(900).estimated == 1
    assert not line.playout.hearing(line.phone.now_ms).settling


def test_two_barge_ins_within_a_second_settle_each_item_once() -> None:
    line = Line()
    line.speak(SECOND, "a", "r1")
    line.play(300)
    first = line.playout.cut(line.phone.now_ms)
    line.speak(SECOND, "b", "r2")
    second = line.playout.cut(line.phone.now_ms)
    line.phone.queue.clear()
    for command in (*first, *second):
        if isinstance(command, do.SendMark):
            line.playout.echoed(command.name, line.phone.now_ms)
    assert line.take_settled() == [
        Settled("a", 0, Verdict.PART, 300, 1000),
        Settled("b", 0, Verdict.NONE, 0, 1000),
    ]


def test_a_lost_probe_is_settled_by_the_next_one() -> None:
    line = Line()
    line.speak(SECOND, "a", "r1")
    line.play(300)
    line.playout.cut(line.phone.now_ms)
    line.playout.push("r2", "b", 0, SECOND)
    second = line.playout.cut(line.phone.now_ms)
    line.playout.echoed(second[-1].name, line.phone.now_ms)
    assert [settled.item_id for settled in line.take_settled()] == ["a", "b"]


def test_a_phrase_of_ours_is_cut_without_any_item() -> None:
    line = Line()
    line.playout.say(SECOND)
    line.pump()
    line.play(100)
    assert line.cut()
    assert line.take_settled() == []
    assert line.playout.hearing(100).drained


def test_marks_returned_at_once_do_not_drain_the_line_before_its_time() -> None:
    playout = Playout()
    playout.push("r", "a", 0, SECOND)
    playout.finish("a")
    for command in playout.take(0):
        if isinstance(command, do.SendMark):
            playout.echoed(command.name, 0)
    assert not playout.hearing(900).drained
    assert playout.hearing(1000).drained


def test_a_lead_keeps_the_rest_at_home_until_it_is_due() -> None:
    line = Line(lead_ms=400)
    line.speak(SECOND)
    assert sum(len(entry) for entry in line.phone.queue if isinstance(entry, bytes)) == 400 * MS
    line.play(2000)
    assert line.phone.played == SECOND


def test_unheard_time_counts_down_as_the_phone_plays() -> None:
    line = Line()
    line.speak(SECOND)
    assert line.playout.hearing(0).unheard_ms == 1000
    line.play(400)
    assert line.playout.hearing(400).unheard_ms == 600


def test_a_response_that_ends_without_ending_its_item_is_flushed() -> None:
    line = Line()
    line.speak(SECOND[:100], last=False)
    line.playout.finish("r")
    line.playout.finish("another")
    line.pump()
    line.play(60)
    assert line.take_settled() == [Settled("a", 0, Verdict.WHOLE, 12, 12)]


def test_audio_of_two_items_by_turns_is_counted_to_each() -> None:
    line = Line()
    line.speak(SECOND[:1600], "a", last=False)
    line.speak(SECOND[:1600], "b", last=False)
    line.speak(SECOND[1600:3200], "a")
    line.play(300)
    line.cut()
    assert line.take_settled() == [
        Settled("a", 0, Verdict.PART, 200, 400),
        Settled("b", 0, Verdict.PART, 100, 200),
    ]


def test_marks_come_at_most_ten_a_second_of_audio() -> None:
    playout = Playout()
    marks = 0
    for start in range(0, len(SECOND) * 10, 100):
        playout.push("r", "a", 0, SECOND[start % 8000 : start % 8000 + 100])
        marks += sum(isinstance(command, do.SendMark) for command in playout.take(0))
    assert marks <= 100
