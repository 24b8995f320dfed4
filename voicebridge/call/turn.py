"""Whose turn it is: what speech of the caller does to the agent's reply.

A machine without any hands: each method takes what happened and returns steps, which ``Call``
carries out with the playout and the responses.

=============  ==========================================  =============  ====================
state          happening                                   now            steps
=============  ==========================================  =============  ====================
SILENT         speech, agent silent or cut at once         TALKING        HOLD CUT
SILENT         speech over protected words                 TALKING_OVER   HOLD
SILENT         speech that sounds like the agent           GATED
SILENT         speech, a minimum length is asked           WAITING        HOLD
SILENT         speech, mode pause                          PAUSED         HOLD PAUSE
WAITING        the minimum has passed                      TALKING        CUT
WAITING        it stops before                             SILENT         DISCARD RELEASE
PAUSED         still speaking when the wait is over        TALKING        CUT
PAUSED         it stops, too short                         SILENT         RESUME DISCARD RELEASE
PAUSED         it stops, long enough, no words to come     SILENT         CUT ANSWER
PAUSED         it stops, long enough                       DECIDING
DECIDING       words come, or more speech                  SILENT         CUT ANSWER
DECIDING       no words, or none in time                   SILENT         RESUME DISCARD RELEASE
GATED          it no longer sounds like the agent          as from SILENT
GATED          it stops                                    SILENT         DISCARD
TALKING        it stops                                    SILENT         ANSWER
TALKING_OVER   it stops                                    SILENT         ANSWER
=============  ==========================================  =============  ====================

Where the server answers by itself (``Manners.ours`` is False) only SILENT and TALKING occur, and
ANSWER is a RELEASE: the server has the word.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from voicebridge.call.manners import BargeIn, Manners

ECHO_CHECK_S = 0.2
"""How often speech that sounds like the agent is listened to again."""


class State(Enum):
    """Where the caller's speech stands."""

    SILENT = auto()
    TALKING = auto()
    TALKING_OVER = auto()
    WAITING = auto()
    PAUSED = auto()
    DECIDING = auto()
    GATED = auto()


class Step(Enum):
    """What is to be done, in this order."""

    HOLD = auto()
    """Create no response: the caller has the turn."""
    CUT = auto()
    """Stop the reply for good and settle what was heard."""
    PAUSE = auto()
    """Stop the sound and keep the reply."""
    RESUME = auto()
    """Go on with the reply where it stopped."""
    DISCARD = auto()
    """Take what was said out of the conversation: it was no speech."""
    ANSWER = auto()
    """Have the model answer."""
    RELEASE = auto()
    """Give the turn back."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What the caller speaks into: is the agent heard, may it be cut, is it its own echo?"""

    audible: bool
    protected: bool = False
    echo: bool = False


class Turn:
    """The turns of one call."""

    def __init__(self, manners: Manners) -> None:
        self.state = State.SILENT
        self.deadline: float | None = None
        self.item_id = ""
        """The caller's item that all this is about."""
        self.since_ms = 0
        """When the caller last began to speak, by the carrier's clock."""
        self._manners = manners

    @property
    def caller_speaking(self) -> bool:
        """Whether the caller speaks, or it is open whether he did."""
        return self.state is not State.SILENT and self.state is not State.GATED

    def started(self, item_id: str, now: float, at_ms: int, scene: Scene) -> list[Step]:
        """Take note that speech began."""
        goes_on = self.state is State.DECIDING
        self.item_id, self.since_ms = item_id, at_ms
        if goes_on:
            return self._now(State.TALKING, Step.CUT)
        if self.state is not State.SILENT:
            return []
        return self._judge(now, scene)

    def stopped(self, now: float, lasted_ms: int) -> list[Step]:
        """Take note that speech ended; ``lasted_ms`` is the server's account of it."""
        manners = self._manners
        too_short = lasted_ms - manners.overhead_ms < manners.minimum_speech_ms
        match self.state:
            case State.TALKING if too_short:
                return self._now(State.SILENT, Step.DISCARD, Step.RELEASE)
            case State.TALKING | State.TALKING_OVER:
                return self._now(State.SILENT, Step.ANSWER if manners.ours else Step.RELEASE)
            case State.WAITING:
                return self._now(State.SILENT, Step.DISCARD, Step.RELEASE)
            case State.GATED:
                return self._now(State.SILENT, Step.DISCARD)
            case State.PAUSED if too_short:
                return self._now(State.SILENT, Step.RESUME, Step.DISCARD, Step.RELEASE)
            case State.PAUSED if not manners.transcribed:
                return self._now(State.SILENT, Step.CUT, Step.ANSWER)
            case State.PAUSED:
                self._wait(State.DECIDING, now, manners.decide_within_ms / 1000)
        return []

    def transcribed(self, item_id: str, text: str) -> list[Step]:
        """Take in the caller's words; empty if there were none."""
        if self.state is not State.DECIDING or item_id != self.item_id:
            return []
        if text:
            return self._now(State.SILENT, Step.CUT, Step.ANSWER)
        return self._now(State.SILENT, Step.RESUME, Step.DISCARD, Step.RELEASE)

    def expired(self, now: float, scene: Scene) -> list[Step]:
        """Act on the deadline; ``scene`` is as it is now."""
        self.deadline = None
        match self.state:
            case State.WAITING | State.PAUSED:
                return self._now(State.TALKING, Step.CUT)
            case State.DECIDING:
                return self._now(State.SILENT, Step.RESUME, Step.DISCARD, Step.RELEASE)
            case State.GATED:
                return self._judge(now, scene)
        return []

    def _judge(self, now: float, scene: Scene) -> list[Step]:
        manners = self._manners
        if not scene.audible:
            return self._now(State.TALKING, Step.HOLD, Step.CUT)
        if scene.protected:
            return self._now(State.TALKING_OVER, Step.HOLD)
        if scene.echo:
            self._wait(State.GATED, now, ECHO_CHECK_S)
            return []
        if manners.barge_in is BargeIn.PAUSE:
            self._wait(State.PAUSED, now, manners.decide_within_ms / 1000)
            return [Step.HOLD, Step.PAUSE]
        if manners.minimum_speech_ms:
            self._wait(State.WAITING, now, manners.minimum_speech_ms / 1000)
            return [Step.HOLD]
        return self._now(State.TALKING, Step.HOLD, Step.CUT)

    def _now(self, state: State, *steps: Step) -> list[Step]:
        self.state, self.deadline = state, None
        return list(steps)

    def _wait(self, state: State, now: float, seconds: float) -> None:
        self.state, self.deadline = state, now + seconds
