"""One message of the agent while it is being spoken: deltas out, slightly ahead in words."""

from __future__ import annotations

import asyncio
import base64
import time
from random import Random

from voicebridge.audio.format import BYTES_PER_MS
from voicebridge.rehearsal.codecs import Codec
from voicebridge.rehearsal.conversation import Item, Json
from voicebridge.rehearsal.session_log import ResponseMade, SpokenItem
from voicebridge.rehearsal.session_state import SessionState
from voicebridge.rehearsal.voice import Speech

FIRST_DELTA_BYTES = (320, 900)
DELTA_BYTES = (1_000, 4_000)
WORDS_AHEAD_MS = 200


class Speaking:
    """Write the deltas of one message item. ``where`` names the part on every event of it."""

    def __init__(
        self, state: SessionState, made: ResponseMade, item: Item, speech: Speech, where: Json
    ) -> None:
        self._state, self._made, self._item, self._speech = state, made, item, speech
        self._where = where
        self._said = 0

    @property
    def text(self) -> str:
        """Tell the words written so far."""
        return " ".join(word.text for word in self._speech.words[: self._said])

    def write(self) -> None:
        """Give all words as text, for a response without audio."""
        self._words_until(self._speech.duration_ms, "response.output_text.delta")

    async def speak(self, codec: Codec, cut: asyncio.Event, limit_ms: int | None) -> None:
        """Stream the audio at the set pace until it is over, ``cut`` is set or the limit is met."""
        state, scale = self._state, codec.bytes_per_ms // BYTES_PER_MS
        audio = codec.from_ulaw(self._speech.audio)
        if limit_ms is not None:
            audio = audio[: limit_ms * codec.bytes_per_ms]
        entry = self._open_entry(audio)
        started = time.monotonic()
        for size in _sizes(state.chance, len(audio) // scale):
            sent_s = entry.sent_bytes / codec.bytes_per_ms / 1000
            await pause(cut, started + sent_s / state.setting.pace)
            await state.outbox.room()
            if cut.is_set():
                return
            self._delta(entry, codec, audio[entry.sent_bytes :][: size * scale])

    def _open_entry(self, audio: bytes) -> SpokenItem:
        item_id, speech = self._item.item_id, self._speech
        entry = SpokenItem(item_id, self._made.response_id, speech.text, audio, speech.words)
        self._state.log.items[item_id] = entry
        return entry

    def _delta(self, entry: SpokenItem, codec: Codec, piece: bytes) -> None:
        if entry.first_delta_at is None:
            entry.first_delta_at = self._made.first_audio_at = time.monotonic()
        sent_bytes = entry.sent_bytes + len(piece)
        until_ms = sent_bytes // codec.bytes_per_ms
        self._words_until(until_ms + WORDS_AHEAD_MS, "response.output_audio_transcript.delta")
        delta = base64.b64encode(piece).decode()
        self._emit("response.output_audio.delta", {"delta": delta})
        entry.sent_bytes = sent_bytes
        self._state.has_spoken = True
        if not self._item.truncated:
            self._item.audio_ms = until_ms

    def _words_until(self, until_ms: int, event_type: str) -> None:
        words = self._speech.words
        while self._said < len(words) and words[self._said].start_ms <= until_ms:
            space = " " if self._said else ""
            self._emit(event_type, {"delta": space + words[self._said].text})
            self._said += 1

    def _emit(self, event_type: str, fields: Json) -> None:
        self._state.outbox.emit({"type": event_type, **self._where, **fields})


def _sizes(chance: Random, total: int) -> list[int]:
    """Cut ``total`` bytes into deltas of no regular size, a short one first."""
    sizes, bounds = list[int](), FIRST_DELTA_BYTES
    while total > 0:
        sizes.append(min(total, chance.randint(*bounds)))
        total, bounds = total - sizes[-1], DELTA_BYTES
    return sizes


async def pause(cut: asyncio.Event, until: float) -> None:
    """Wait until that moment, or shorter when the response is cut."""
    delay = until - time.monotonic()
    if delay <= 0:
        return
    try:
        async with asyncio.timeout(delay):
            await cut.wait()
    except TimeoutError:
        return
