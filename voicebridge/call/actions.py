"""What a tool does with the line itself: hold, and keys that nobody else may hear.

On hold the caller hears a soft tone and the model hears silence, until it is ended or has lasted
long enough. While keys are collected the model hears silence too, and each key goes to the one
tool that asked: card numbers and PINs reach neither the model nor the record.
"""

from __future__ import annotations

from dataclasses import dataclass

from voicebridge.call import commands as do
from voicebridge.call import events as ev
from voicebridge.call.deadlines import soonest

KEYS_WITHIN_S = 8.0
"""How long the caller may take between two keys."""


@dataclass(slots=True)
class _Collecting:
    wanted: ev.KeysWanted
    deadline: float
    keys: str = ""


@dataclass(slots=True)
class _Rest:
    """Keys that may still come of an entry which is over: nobody's, and not the model's either.

    Until ``ends_with`` or a pause; of an entry that was ``full`` that last key alone.
    """

    ends_with: str
    until: float
    full: bool

    def takes(self, digit: str, now: float) -> bool:
        taken = now < self.until and (not self.full or digit == self.ends_with)
        goes_on = taken and digit != self.ends_with
        self.until = now + KEYS_WITHIN_S if goes_on else now
        return taken


class Actions:
    """The line's own state in one call."""

    def __init__(self) -> None:
        self._collecting: _Collecting | None = None
        self._rest: _Rest | None = None
        self._hold_until: float | None = None

    @property
    def deadline(self) -> float | None:
        """When ``expire`` is to be called."""
        collecting = self._collecting
        return soonest(collecting.deadline if collecting else None, self._hold_until)

    @property
    def holding(self) -> bool:
        """Whether the caller is on hold."""
        return self._hold_until is not None

    def hold(self, now: float, longest_s: float) -> list[do.Command]:
        """Put the caller on hold, or let a hold last longer."""
        muted, self._hold_until = self._muted, now + longest_s
        return [] if muted else [do.MuteCaller()]

    def resume(self) -> list[do.Command]:
        """End the hold; nothing if there is none."""
        if not self.holding:
            return []
        self._hold_until = None
        return [] if self._muted else [do.UnmuteCaller()]

    def collect(self, wanted: ev.KeysWanted, now: float) -> list[do.Command]:
        """Give the caller's next keys to one tool; another one that waits gets what there is."""
        given, muted = self._given(), self._muted
        self._rest = None
        self._collecting = _Collecting(wanted, now + wanted.within_s)
        return [*given, *([] if muted else [do.MuteCaller()])]

    def forget(self, call_id: str, now: float) -> list[do.Command]:
        """Drop the entry of a tool that is over, with what was typed of it and is typed yet."""
        collecting = self._collecting
        if collecting is None or collecting.wanted.call_id != call_id:
            return []
        self._leave_rest(collecting, now)
        return [] if self._muted else [do.UnmuteCaller()]

    def forget_stopped(self, stopped: list[do.Command], now: float) -> list[do.Command]:
        """Drop the entry of a tool among those that have been stopped."""
        ids = [command.call_id for command in stopped if isinstance(command, do.CancelTool)]
        return [command for call_id in ids for command in self.forget(call_id, now)]

    def pressed(self, digit: str, now: float) -> list[do.Command] | None:
        """Take in a key; None if no tool waits for it."""
        collecting = self._collecting
        if collecting is None:
            return [] if self._rest is not None and self._rest.takes(digit, now) else None
        if digit == collecting.wanted.ends_with:
            return self._give()
        collecting.keys += digit
        collecting.deadline = now + KEYS_WITHIN_S
        if len(collecting.keys) < collecting.wanted.most:
            return []
        out = self._give()
        self._leave_rest(collecting, now, full=True)
        return out

    def expire(self, now: float) -> list[do.Command]:
        """Act on the deadlines that have passed."""
        out: list[do.Command] = []
        collecting = self._collecting
        if collecting and collecting.deadline <= now:
            out += self._give()
            self._leave_rest(collecting, now)
        if self._hold_until is not None and self._hold_until <= now:
            out += self.resume()
        return out

    @property
    def _muted(self) -> bool:
        """Whether the model hears silence, for one reason or for both."""
        return self.holding or self._collecting is not None

    def _give(self) -> list[do.Command]:
        """Give the keys to who wanted them; the model hears again if nothing else mutes it."""
        given = self._given()
        self._collecting = None
        return [*([] if self._muted else [do.UnmuteCaller()]), *given]

    def _leave_rest(self, entry: _Collecting, now: float, *, full: bool = False) -> None:
        self._collecting = None
        self._rest = _Rest(entry.wanted.ends_with, now + KEYS_WITHIN_S, full)

    def _given(self) -> list[do.Command]:
        collecting = self._collecting
        return [do.GiveKeys(collecting.wanted.call_id, collecting.keys)] if collecting else []
