"""The greeting: said from memory while the model connects, or listened to for the next time.

One that was heard to its end, in exactly its words, may be kept and said again in later calls at
once. The model has not said it then. So it is told in the conversation, as its own first message,
and when the caller cut it short, only the words that were heard stay there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from voicebridge.audio.format import BYTES_PER_MS
from voicebridge.call import commands as do
from voicebridge.call import events as ev
from voicebridge.call.ledger import Verdict

GREETING = "greeting"
"""The name of the item, and of the response, that is our own."""

LONGEST_BYTES = 30_000 * BYTES_PER_MS

_SIGNS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class SpokenGreeting:
    """A greeting that was spoken before: its words, and mu-law audio."""

    words: str
    audio: bytes = field(repr=False)


class Greeting:
    """The greeting of one call.

    ``spoken`` is said from memory; ``wanted`` are the words to listen for, if it is to be kept.
    """

    def __init__(self, spoken: SpokenGreeting | None, wanted: str | None) -> None:
        self.spoken = spoken
        self._words = spoken.words if spoken else ""
        self._told = False
        self._wanted = None if spoken else wanted
        self._item_id = ""
        self._audio, self._text = bytearray(), ""

    def events(self) -> list[ev.AudioReceived | ev.TranscriptReceived | ev.AudioFinished]:
        """Return the greeting as if the model had said it; nothing if it is not in memory."""
        if self.spoken is None:
            return []
        return [
            ev.TranscriptReceived(GREETING, self.spoken.words),
            ev.AudioReceived(GREETING, GREETING, 0, self.spoken.audio),
            ev.AudioFinished(GREETING),
        ]

    @property
    def listening(self) -> bool:
        """Whether ``listen`` is of any use."""
        return self._wanted is not None

    def listen(self, event: ev.AudioReceived | ev.TranscriptReceived | ev.AudioFinished) -> None:
        """Listen to what the model says first."""
        if self._wanted is None:
            return
        self._item_id = self._item_id or event.item_id
        if event.item_id != self._item_id:
            return
        match event:
            case ev.AudioReceived(audio=audio):
                self._audio += audio
            case ev.TranscriptReceived(text=text):
                self._text += text
        if len(self._audio) > LONGEST_BYTES:
            self._forget()

    def tell(self) -> list[do.Command]:
        """Tell the model, which is there now, what has been said in its name."""
        self._told = True
        return [do.SendAgentText(GREETING, self._words)] if self._words else []

    def settled(self, item_id: str, verdict: Verdict, heard: str) -> list[do.Command] | None:
        """Act on how much was heard of an item; None if the model's memory of it is its own."""
        if item_id == GREETING:
            return [] if verdict is Verdict.WHOLE else self._cut_to(heard)
        if self._wanted is not None and item_id == self._item_id:
            whole = verdict is Verdict.WHOLE and _plain(self._text) == _plain(self._wanted)
            audio = bytes(self._audio)
            self._forget()
            return [do.KeepGreeting(audio)] if whole else None
        return None

    def _cut_to(self, heard: str) -> list[do.Command]:
        self._words = heard
        if not self._told:
            return []
        told = [do.SendAgentText(f"{GREETING}-heard", heard)] if heard else []
        return [do.DeleteItem(f"delete-{GREETING}", GREETING), *told]

    def _forget(self) -> None:
        self._wanted = None
        self._audio.clear()


def _plain(words: str) -> str:
    """Return words as they sound: no signs, no case."""
    return _SIGNS.sub(" ", words).strip().casefold()
