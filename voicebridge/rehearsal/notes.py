"""Tell, as it happens, what happens at the phone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

PhoneNoteKind = Literal[
    "dial",  # the webhook is asked; text: its url
    "connected",  # the media stream stands; text: its url
    "caller",  # the caller begins to speak; text: what is said
    "caller_done",
    "key",  # text: the digit
    "agent",  # the agent begins to be heard
    "agent_done",
    "cut",  # a clear took effect; text: how much was dropped
    "mark",  # a mark went back; text: its name
    "violation",  # a message was dropped; text: why
    "error",  # text: the carrier's error code and words
    "verb",  # a verb is carried out after the stream; text: the verb
    "carrier",  # the carrier does something besides; text: what
    "hang_up",  # text: who ended the stream
]


@dataclass(frozen=True, slots=True)
class PhoneNote:
    """One happening at ``at``, in monotonic seconds."""

    at: float
    kind: PhoneNoteKind
    text: str = ""


Listener = Callable[[PhoneNote], None]


def ignore(note: PhoneNote) -> None:
    """Listen to nothing."""
