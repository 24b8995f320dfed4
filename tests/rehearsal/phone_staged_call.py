"""A call put together by hand, for tests of what is made from the logs of its two ends."""

from __future__ import annotations

import random

from voicebridge.rehearsal.hearing_truth import HeardItem, cuts, hearing_truth
from voicebridge.rehearsal.phone import SILENCE_FRAME, Phone
from voicebridge.rehearsal.phone_log import CallerSpeech, PhoneLog, StreamOpened
from voicebridge.rehearsal.report import Bars, Report, make_report
from voicebridge.rehearsal.session_log import (
    Delete,
    ResponseMade,
    SessionLog,
    SpokenItem,
    Truncate,
)
from voicebridge.rehearsal.voice import Word


def noise(size_bytes: int, seed: int) -> bytes:
    chance = random.Random(seed)
    return bytes(chance.randrange(0, 250) for _ in range(size_bytes))


class Staged:
    """The model speaks, the phone plays, all on one clock."""

    def __init__(self) -> None:
        self.phone_log, self.model = PhoneLog(), SessionLog()
        self.phone, self.now = Phone(self.phone_log), 100.0
        self.phone_log.streams.append(StreamOpened("MZ1", 100.0, 100.0, 0))

    def item(self, audio: bytes, words: tuple[Word, ...] = ()) -> SpokenItem:
        number = len(self.model.items) + 1
        item = SpokenItem(
            f"item_{number}", f"resp_{number}", "", audio, words, self.now, len(audio)
        )
        self.model.items[item.item_id] = item
        self.model.responses.append(
            ResponseMade(item.response_id, self.now, self.now, self.now, "completed")
        )
        self.now += 0.001
        return item

    def receive(self, audio: bytes) -> None:
        self.phone.receive(audio, self.now)

    def play(self, frames: int) -> None:
        for _ in range(frames):
            self.phone.tick(SILENCE_FRAME, self.now)
            self.model.appended += SILENCE_FRAME
            self.now += 0.02

    def say(self, frames: int, text: str = "") -> None:
        """Let the caller speak for so long, heard by the model as well."""
        log = self.phone_log
        log.caller_speech.append(CallerSpeech(text, log.duration_ms, log.duration_ms + frames * 20))
        for number in range(frames):
            frame = noise(160, 1000 + number)
            self.phone.tick(frame, self.now)
            self.model.appended += frame
            self.now += 0.02

    def clear(self) -> None:
        self.phone.clear(self.now)

    def truncate(self, item: SpokenItem, audio_end_ms: int, *, accepted: bool = True) -> None:
        self.now += 0.001
        self.model.truncates.append(Truncate(self.now, item.item_id, audio_end_ms, accepted))

    def delete(self, item: SpokenItem) -> None:
        self.now += 0.001
        self.model.deletes.append(Delete(self.now, item.item_id, True))

    def close(self) -> None:
        self.phone.close(self.now)
        self.model.closed_at = self.phone_log.ended_at = self.now

    def truth(self) -> list[HeardItem]:
        return hearing_truth(self.phone_log, self.model)

    def report(self, bars: Bars | None = None) -> Report:
        return make_report(self.phone_log, self.model, bars)

    def errors_ms(self) -> list[float]:
        return [cut.error_ms for cut in cuts(self.truth(), self.model)]
