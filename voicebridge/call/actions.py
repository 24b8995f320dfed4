"""What a tool does with the line itself: hold, and keys that nobody else may hear.

On hold the caller hears a soft tone and the model hears silence, until it is ended or has lasted
long enough. While keys are collected the model hears silence too, and each key goes to the one
tool that asked: card numbers and PINs reach neither the model nor the record.
"""

from __future__ import annotations

from dataclasses import dataclass

from voicebridge.call import commands as do
from voicebridge.call import events as ev

KEYS_WITHIN_S = 8.0
"""How long the caller may take between two keys."""


@dataclass(slots=True)
class _Collecting:
    wanted: ev.KeysWanted
    deadline: float
    keys: str = ""


class Actions:
    """The line's own state in one call."""

    def __init__(self) -> None:
        self._collecting: _Collecting | None = None
        self._hold_until: float | None = None

    @property
    def deadline(self) -> float | None:
        """When ``expire`` is to be called."""
        times = [self._collecting.deadline] if self._collecting else []
        times += [self._hold_until] if self._hold_until is not None else []
        return min(times, default=None)

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
        self._collecting = _Collecting(wanted, now + wanted.within_s)
        return [*given, *([] if muted else [do.MuteCaller()])]

    def pressed(self, digit: str, now: float) -> list[do.Command] | None:
        """Take in a key; None if no tool waits for it."""
        collecting = self._collecting
        if collecting is None:
            return None
        if digit == collecting.wanted.ends_with:
            return self._give()
        collecting.keys += digit
        collecting.deadline = now + KEYS_WITHIN_S
        return self._give() if len(collecting.keys) >= collecting.wanted.most else []

    def expire(self, now: float) -> list[do.Command]:
        """Act on the deadlines that have passed."""
        out: list[do.Command] = []
        if self._collecting and self._collecting.deadline <= now:
            out += self._give()
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

    def _given(self) -> list[do.Command]:
        collecting = self._collecting
        return [do.GiveKeys(collecting.wanted.call_id, collecting.keys)] if collecting else []
