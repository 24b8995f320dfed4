"""Who speaks and what is heard of it, as lists of events in and commands out."""

from voicebridge.call import commands as do
from voicebridge.call import events as ev
from voicebridge.call.floor import ECHO_WAIT_S, REFILL_S, Floor
from voicebridge.call.manners import BargeIn, Manners
from voicebridge.call.turn import State

SECOND = bytes(range(250)) * 32
PAUSE = Manners(barge_in=BargeIn.PAUSE, minimum_speech_ms=300, overhead_ms=800)
PROTECT = Manners(greeting_protected=True)


class Line:
    """A floor with a carrier that plays what it has and returns marks without delay."""

    def __init__(self, manners: Manners) -> None:
        self.floor = Floor(manners)
        self.at_ms = 0
        self.marks: list[tuple[int, str]] = []
        self.queued_until_ms = 0

    @property
    def now(self) -> float:
        return 100 + self.at_ms / 1000

    def pump(self, commands: list[do.Command] | None = None) -> list[do.Command]:
        """Carry out, and let the carrier answer at once; what is not for it is returned."""
        waiting, told = [*(commands or [])], list[do.Command]()
        waiting += self.floor.pump(self.now, self.at_ms)
        while waiting:
            told += self._obey(waiting.pop(0))
            while not waiting and self.marks and self.marks[0][0] <= self.at_ms:
                waiting += self._return_mark()
        while self.marks and self.marks[0][0] <= self.at_ms:
            told += self.pump(self._return_mark())
        return told

    def _obey(self, command: do.Command) -> list[do.Command]:
        free_ms = max(self.queued_until_ms, self.at_ms)
        match command:
            case do.SendAudio(audio):
                self.queued_until_ms = free_ms + len(audio) // 8
                return []
            case do.SendMark(name):
                self.marks.append((free_ms, name))
                return []
            case do.SendClear():
                self.queued_until_ms = self.at_ms
                self.marks = [(self.at_ms, name) for _, name in self.marks]
        return [command]

    def _return_mark(self) -> list[do.Command]:
        self.floor.playout.echoed(self.marks.pop(0)[1], self.at_ms)
        return self.floor.pump(self.now, self.at_ms)

    def speak(self, response: str = "r1", item: str = "a1", words: str = "one two three") -> None:
        """Let the model send a second of speech, in full."""
        self.floor.response_created(response, self.now, self.at_ms)
        self.floor.agent_speaks(ev.TranscriptReceived(item, words), self.at_ms)
        self.floor.agent_speaks(ev.AudioReceived(response, item, 0, SECOND), self.at_ms)
        self.floor.agent_speaks(ev.AudioFinished(item), self.at_ms)
        self.pump(self.floor.response_done(response, self.now))

    def wait(self, duration_ms: int) -> list[do.Command]:
        """Let time pass; deadlines are kept."""
        told: list[do.Command] = []
        for _ in range(0, duration_ms, 20):
            self.at_ms += 20
            due = self.floor.deadline is not None and self.floor.deadline <= self.now
            told += self.pump(self.floor.expire(self.now, self.at_ms) if due else None)
        return told

    def starts(self, item: str = "u1") -> list[do.Command]:
        event = ev.SpeechStarted(item, self.at_ms)
        return self.pump(self.floor.caller_started(event, self.now, self.at_ms))

    def stops(self, item: str = "u1", lasted_ms: int = 2000) -> list[do.Command]:
        start_ms = self.floor._caller.started_ms
        event = ev.SpeechStopped(item, start_ms + lasted_ms)
        return self.pump(self.floor.caller_stopped(event, self.now, self.at_ms))

    def words(self, text: str, item: str = "u1") -> list[do.Command]:
        event = ev.CallerTranscribed(item, text)
        return self.pump(self.floor.transcribed(event, self.now, self.at_ms))


def test_a_cough_pauses_the_sound_and_the_reply_goes_on_where_it_stopped() -> None:
    line = Line(PAUSE)
    line.speak()
    line.wait(400)
    assert line.starts() == [do.SendClear()]
    assert line.floor.playout.hearing(line.at_ms).paused
    assert line.wait(600) == []
    assert line.stops(lasted_ms=900) == [do.DeleteItem("delete-1", "u1")]
    told = line.wait(700)
    assert told == [do.NoteAgentSpoke("a1", 0, "one two three", "", 1000, 1000)]


def test_words_confirm_a_pause_and_the_reply_is_cut_where_it_stopped() -> None:
    line = Line(PAUSE)
    line.speak()
    line.wait(400)
    assert line.starts() == [do.SendClear()]
    line.wait(900)
    assert line.stops(lasted_ms=1700) == [do.NoteCallerSpoke("u1", 400, "")]
    assert line.floor.turn.state is State.DECIDING
    assert line.words("wait a moment") == [
        do.NoteCallerSpoke("u1", 1300, "wait a moment"),
        do.NoteBargeIn(400),
        do.CreateResponse("response-1"),
        do.TruncateItem("truncate-1", "a1", 0, 400),
        do.NoteAgentSpoke("a1", 0, "one", "two three", 400, 1000),
    ]


def test_a_caller_who_speaks_on_cuts_without_any_words() -> None:
    line = Line(PAUSE)
    line.speak()
    line.wait(400)
    line.starts()
    told = line.wait(PAUSE.decide_within_ms)
    assert told == [
        do.NoteBargeIn(400),
        do.TruncateItem("truncate-1", "a1", 0, 400),
        do.NoteAgentSpoke("a1", 0, "one", "two three", 400, 1000),
    ]
    assert line.floor.turn.state is State.TALKING


def test_a_pause_without_words_in_time_goes_on() -> None:
    line = Line(PAUSE)
    line.speak()
    line.wait(400)
    line.starts()
    line.stops(lasted_ms=1700)
    told = line.wait(PAUSE.decide_within_ms + 800)
    assert told == [
        do.DeleteItem("delete-1", "u1"),
        do.NoteAgentSpoke("a1", 0, "one two three", "", 1000, 1000),
    ]


def test_a_reply_is_created_while_paused_and_laid_behind_what_is_left() -> None:
    line = Line(PAUSE)
    line.speak("r1", "a1")
    line.wait(400)
    line.starts()
    line.speak("r2", "a2", "four five six")
    assert line.wait(500) == []
    line.stops(lasted_ms=900)
    noted = [n for n in line.wait(2000) if isinstance(n, do.NoteAgentSpoke)]
    assert [(note.item_id, note.heard_ms) for note in noted] == [("a1", 1000), ("a2", 1000)]


def test_an_active_response_is_cancelled_by_a_cut_of_ours() -> None:
    line = Line(Manners(minimum_speech_ms=200))
    line.floor.response_created("r1", line.now, line.at_ms)
    line.floor.agent_speaks(ev.AudioReceived("r1", "a1", 0, SECOND), 0)
    line.pump()
    line.wait(300)
    assert line.starts() == []
    told = line.wait(200)
    assert told[:2] == [do.SendClear(), do.CancelResponse("r1")]
    assert do.TruncateItem("truncate-1", "a1", 0, 500) in told


def test_a_protected_greeting_is_heard_to_its_end_and_answered_after_it() -> None:
    line = Line(PROTECT)
    line.speak()
    line.wait(400)
    assert line.starts() == []
    line.wait(300)
    assert line.stops() == [do.NoteCallerSpoke("u1", 400, ""), do.CreateResponse("response-1")]
    assert line.wait(600) == [do.NoteAgentSpoke("a1", 0, "one two three", "", 1000, 1000)]


def test_only_the_greeting_is_protected() -> None:
    line = Line(PROTECT)
    line.speak("r1", "a1")
    line.wait(1100)
    line.speak("r2", "a2", "four five six")
    line.wait(300)
    assert line.starts()[0] == do.SendClear()


def test_words_that_come_behind_their_cut_are_taken_from_the_models_memory() -> None:
    line = Line(Manners())
    line.floor.response_created("r1", line.now, line.at_ms)
    assert line.starts() == []
    line.floor.agent_speaks(ev.TranscriptReceived("a1", "one two"), 0)
    for _ in range(2):
        line.floor.agent_speaks(ev.AudioReceived("r1", "a1", 0, SECOND), 0)
    assert line.pump() == [
        do.DeleteItem("delete-1", "a1"),
        do.NoteAgentSpoke("a1", 0, "", "one two", 0, 1000),
    ]


def test_speech_into_silence_clears_and_corrects_nothing() -> None:
    line = Line(Manners())
    line.speak()
    line.wait(1100)
    assert line.starts() == []
    assert line.wait(1000) == []


def test_the_floor_wakes_to_refill_the_carrier_and_to_settle_without_it() -> None:
    line = Line(PAUSE)
    line.speak()
    assert line.floor.deadline == line.now + REFILL_S
    line.wait(200)
    line.floor.caller_started(ev.SpeechStarted("u1", 0), line.now, line.at_ms)
    line.floor.pump(line.now, line.at_ms)
    assert line.floor.deadline == line.now + ECHO_WAIT_S


def test_a_caller_who_hangs_up_in_mid_reply_leaves_nothing_estimated() -> None:
    line = Line(Manners())
    line.speak()
    line.wait(400)
    assert line.floor.close(line.at_ms) == [
        do.NoteAgentSpoke("a1", 0, "one", "two three", 400, 1000)
    ]
    assert line.floor.playout.hearing(line.at_ms).estimated == 0
