"""One model response at a time; at most one owed.

The server refuses a second response while one is active, and with voice-activity detection it
creates responses by itself. So this is the only place that asks for one:

====================  ==========================  =================================
state                 happening                   move
====================  ==========================  =================================
idle                  request                     create, now requested
idle, held            request                     owed
requested, active     request                     owed
any                   a response is created       active; what was owed is satisfied
active                it is done                  idle, or create what is owed
requested             our create is refused       owed; goes out after the next done
====================  ==========================  =================================

*Held* means that the caller has the turn: nothing is created into his words, and the server
answers him by itself when he has finished. If it does not, the hold runs out and what is owed goes
out after all.
"""

from __future__ import annotations

from dataclasses import dataclass

from voicebridge.call import commands as do

HOLD_AFTER_SPEECH_S = 1.0
"""How long the server may take to answer the caller by itself before we ask."""

CREATED_WITHIN_S = 10.0
"""How long a requested response may take to be created before it is taken for lost."""


@dataclass(slots=True)
class _Owed:
    instructions: str | None
    tools: bool = True


class Responses:
    """The responses of one call; asks for them, and knows which one is active."""

    def __init__(self) -> None:
        self.active: str | None = None
        self.deadline: float | None = None
        self._requested: str | None = None
        self._owed: _Owed | None = None
        self._held = False
        self._serial = 0

    @property
    def quiet(self) -> bool:
        """Whether no response is active, asked for or owed."""
        return self.active is None and self._requested is None and self._owed is None

    def stop(self) -> None:
        """Forget everything: there is nobody left to ask."""
        self.active = self._requested = self._owed = self.deadline = None

    def request(
        self, now: float, instructions: str | None = None, *, tools: bool = True
    ) -> list[do.Command]:
        """Ask for a response, or owe it until it may be asked for."""
        self._owed = _Owed(instructions, tools)
        return self._pay(now)

    def hold(self) -> None:
        """Create nothing while the caller has the turn."""
        self._held, self.deadline = True, None

    def release(self, now: float, *, server_answers: bool) -> list[do.Command]:
        """End the hold: at once, or after the moment that the server needs to answer by itself."""
        if server_answers:
            self.deadline = now + HOLD_AFTER_SPEECH_S
            return []
        self._held = False
        return self._pay(now)

    def answer(self, now: float) -> list[do.Command]:
        """End the hold and ask for one response to the caller, whatever else was owed."""
        self._held = False
        return self.request(now)

    def created(self, response_id: str) -> None:
        """Take note of a response, whoever asked for it: it satisfies what was owed."""
        self.active = response_id
        self._requested, self._owed = None, None
        self._held, self.deadline = False, None

    def done(self, response_id: str, now: float) -> list[do.Command]:
        """Take note of a response's end and pay what is owed."""
        if self.active == response_id:
            self.active = None
        return self._pay(now)

    def rejected(self, event_id: str | None, now: float) -> bool:
        """Take back a request that the server refused; False if it was not one of ours."""
        if event_id is None or event_id != self._requested:
            return False
        self._requested = None
        self._owed = self._owed or _Owed(None)
        self.deadline = now + HOLD_AFTER_SPEECH_S
        return True

    def expire(self, now: float) -> list[do.Command]:
        """Act on the deadline: a hold, or a request that nothing came of, is over."""
        self.deadline = None
        self._held = False
        if self._requested is not None:
            self._requested, self._owed = None, self._owed or _Owed(None)
        return self._pay(now)

    def _pay(self, now: float) -> list[do.Command]:
        if self._owed is None or self._held or self.active or self._requested:
            return []
        owed, self._owed = self._owed, None
        self._serial += 1
        self._requested = f"response-{self._serial}"
        self.deadline = now + CREATED_WITHIN_S
        return [do.CreateResponse(self._requested, owed.instructions, owed.tools)]
