"""How a call ends: after the last word, by silence, by its maximum duration.

*Leaving* means that the end is decided and its reason fixed, and only the last words are still to
be heard: the call hangs up as soon as no response is under way and the last mark has come back, or
when a bounded wait is over. A caller who speaks up keeps the line open, unless the end was not the
agent's to decide.
"""

from __future__ import annotations

from math import inf

from voicebridge.call import commands as do
from voicebridge.call.deadlines import soonest
from voicebridge.call.reasons import EndReason

AFTER_LAST_MARK_S = 2.0
"""How much longer than its own length the last audio may take to be proven heard."""

LONGEST_GOODBYE_S = 30.0
"""A goodbye that is still being spoken after this is not waited for any more."""

LEAST_PROGRESS_S = 0.5
"""So much has to have been heard while a bound passed, or else the carrier plays no more."""

_RECONSIDERED = {EndReason.AGENT_HUNG_UP, EndReason.TRANSFERRED, EndReason.SILENCE}
"""Ends that a caller who speaks up takes back."""


class Ending:
    """The end of one call, from the limits to the hang-up."""

    def __init__(self, *, max_duration_s: float, silence_s: float, goodbye_s: float) -> None:
        self.leaving: EndReason | None = None
        self.ended: EndReason | None = None
        self.prompts = 0
        """How often the silent caller has been asked since he last spoke."""
        self.taken_back: EndReason | None = None
        """The end that a caller has taken back by what may turn out to be no speech."""
        self._max_duration_s, self._silence_s = max_duration_s, silence_s
        self._goodbye_s = goodbye_s
        self._longest: float | None = None
        self._quiet_until: float | None = None
        self._leave_by: float | None = None
        self._longest_goodbye = inf
        self._unheard_s = 0.0
        self._firm = False

    @property
    def deadline(self) -> float | None:
        """When this machine wants to be asked again."""
        if self.ended:
            return None
        if self.leaving:
            return self._leave_by
        return soonest(self._longest, self._quiet_until)

    @property
    def agents_own(self) -> bool:
        """Whether the agent is about to end the call, and no limit of ours."""
        return self.leaving in _RECONSIDERED

    def started(self, now: float) -> None:
        """Start the limits: the stream is open."""
        self._longest = now + self._max_duration_s
        self._quiet_until = now + self._silence_s

    def activity(self, now: float) -> None:
        """Take note that somebody speaks or a tool works: silence starts anew from here."""
        self._quiet_until = now + self._silence_s

    def caller_spoke(self, now: float) -> None:
        """Keep the line open for a caller who has more to say."""
        self.prompts = 0
        self.activity(now)
        self.taken_back = None
        if self.leaving in _RECONSIDERED and not self._firm:
            self.taken_back, self.leaving = self.leaving, None

    def leave(
        self, reason: EndReason, now: float, unheard_s: float = 0.0, *, firm: bool = False
    ) -> None:
        """Decide the end; the first reason stands. A ``firm`` one is taken back by nobody."""
        if self.leaving is None:
            self.leaving, self._firm, self.taken_back = reason, firm, None
            self._leave_by, self._unheard_s = now + self._goodbye_s + unheard_s, unheard_s
            self._longest_goodbye = now + unheard_s + LONGEST_GOODBYE_S

    def speaks(self, now: float, unheard_s: float) -> None:
        """Wait for words that a model speaks no faster than the ear hears them."""
        if self._leave_by is not None:
            heard_by = min(now + unheard_s + AFTER_LAST_MARK_S, self._longest_goodbye)
            self._leave_by = max(self._leave_by, heard_by)

    def last_words(self, now: float, unheard_s: float) -> None:
        """Bound the wait anew: the goodbye is known now and lasts ``unheard_s`` yet."""
        if self.leaving:
            self._leave_by, self._unheard_s = now + unheard_s + AFTER_LAST_MARK_S, unheard_s

    def wait(self, now: float, unheard_s: float) -> None:
        """Wait on: a tool is at work, which has a limit of its own, or more is to be said now."""
        self._leave_by, self._unheard_s = now + self._goodbye_s + unheard_s, unheard_s

    def expired(self, now: float) -> EndReason | None:
        """Tell which limit has passed: the duration, or the caller's silence."""
        if self.leaving or self.ended:
            return None
        if self._longest is not None and now >= self._longest:
            return EndReason.MAX_DURATION
        if self._quiet_until is not None and now >= self._quiet_until:
            self.activity(now)
            self.prompts += 1
            return EndReason.SILENCE
        return None

    def check(self, *, all_heard: bool, now: float, unheard_s: float = inf) -> list[do.Command]:
        """Hang up if the time has come: the last word was heard, or the wait is over.

        A line that is so slow that the words take longer than they last is waited for anew.
        """
        if self.leaving is None or self.ended:
            return []
        if not all_heard and (self._leave_by is None or now < self._leave_by):
            return []
        if not all_heard and unheard_s <= self._unheard_s - LEAST_PROGRESS_S:
            self.last_words(now, unheard_s)
            return []
        self.ended = self.leaving
        return [do.HangUp(self.leaving)]

    def end(self, reason: EndReason) -> None:
        """End at once: the stream is gone. A reason that was decided before stands."""
        self.ended = self.ended or self.leaving or reason
