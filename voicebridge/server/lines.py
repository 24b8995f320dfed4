"""The lines of a node: every call takes one, whichever worker it is at, and there are so many.

A call that was answered has a line kept for its stream, as long as its model waits for it.
"""

from __future__ import annotations

from voicebridge.bridge.registry import CallRegistry
from voicebridge.server.crew.board import Slot
from voicebridge.server.early_dial import EarlyDials


class Lines:
    """The lines of the node of a worker, whose calls are ``calls`` and ``early``."""

    def __init__(self, slot: Slot, most: int, calls: CallRegistry, early: EarlyDials) -> None:
        self._slot, self._most, self._calls, self._early = slot, most, calls, early
        calls.on_change = early.on_change = self.publish

    @property
    def live(self) -> int:
        """How many calls run, at all workers."""
        return sum(slot.live for slot in self._slot.board.slots)

    def free_for(self, call_id: str) -> bool:
        """Tell whether there is a line for a call; the one that is kept for it counts as such.

        It may be gone a moment later, unless the board's lock is held.
        """
        return self._taken_besides(call_id) < self._most

    def hold(self, call_id: str) -> bool:
        """Take a line for a call whose stream begins now; False if others have taken them all.

        The call must be opened, or not, before anything is awaited.
        """
        with self._slot.board.lock:
            if not self.free_for(call_id):
                return False
            self._slot.live = len(self._calls) + 1
            self._slot.kept = len(self._early) - (call_id in self._early)
        return True

    def publish(self) -> None:
        """Tell the other workers how many lines the calls of this one take."""
        self._slot.live, self._slot.kept = len(self._calls), len(self._early)

    def _taken_besides(self, call_id: str) -> int:
        there = sum(
            slot.live + slot.kept for slot in self._slot.board.slots if slot is not self._slot
        )
        return there + len(self._calls) + len(self._early) - (call_id in self._early)
