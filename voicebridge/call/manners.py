"""How an agent behaves when it is spoken over: what a persona may choose."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class BargeIn(Enum):
    """What speech over the agent does."""

    CUT = auto()
    """Stops the reply for good, at once."""
    PAUSE = auto()
    """Stops the sound at once and the reply only when it turns out to be speech."""


@dataclass(frozen=True, slots=True)
class Manners:
    """The manners of one call.

    ``minimum_speech_ms``: what is shorter is a cough. ``decide_within_ms``: how long a paused
    reply waits, for the caller to go on and then for his words. ``overhead_ms``: how much longer
    the server's account of a speech is than the speech (its padding and its silence window).
    ``transcribed``: whether the caller's words will come. ``echo_gate``: whether what sounds like
    the agent itself is passed over. ``greeting_protected``: whether the greeting is said to its
    end whatever the caller does.
    """

    barge_in: BargeIn = BargeIn.CUT
    minimum_speech_ms: int = 0
    decide_within_ms: int = 1500
    overhead_ms: int = 0
    transcribed: bool = True
    echo_gate: bool = False
    greeting_protected: bool = False

    @property
    def ours(self) -> bool:
        """Whether we, not the server, decide which speech stops and which one gets a response.

        The server is quicker, by one round trip; but it knows only speech and silence.
        """
        return (
            self.barge_in is BargeIn.PAUSE
            or self.minimum_speech_ms > 0
            or self.echo_gate
            or self.greeting_protected
        )
