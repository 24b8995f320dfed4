"""What is remembered of a call whose stream broke off, until the carrier connects it again."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from voicebridge.call.memory import CallMemory
from voicebridge.call.reasons import EndReason

KEPT_S = 600.0
"""How long a call may be away: a dial that nobody answers takes less than a minute."""

MOST_KEPT = 200

_COMES_BACK = {EndReason.CARRIER_LOST, EndReason.BRIDGE_FAULT, EndReason.TRANSFERRED}


@dataclass(slots=True)
class Remembered:
    """One call over all its streams; it is in memory only, and never written anywhere.

    ``variables`` and ``secrets`` are those of the tools' context.
    """

    story: CallMemory = field(default_factory=CallMemory)
    variables: dict[str, Any] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    left_at: float | None = None


class Memories:
    """The memories of the calls that run or may come back."""

    def __init__(self) -> None:
        self._calls: OrderedDict[str, Remembered] = OrderedDict()

    def __len__(self) -> int:
        return len(self._calls)

    def take_up(self, call_id: str) -> Remembered:
        """Return the memory of a call that begins, or that comes back."""
        self._forget_old()
        memory = self._calls.setdefault(call_id, Remembered())
        memory.left_at = None
        return memory

    def leave(self, call_id: str, reason: EndReason) -> None:
        """Forget a call that is over; keep one that may come back for a while."""
        memory = self._calls.get(call_id)
        if memory is None or reason not in _COMES_BACK:
            self._calls.pop(call_id, None)
            return
        memory.left_at = time.monotonic()
        self._calls.move_to_end(call_id)
        self._forget_old()

    def _forget_old(self) -> None:
        away = [call_id for call_id, memory in self._calls.items() if memory.left_at is not None]
        past, surplus = time.monotonic() - KEPT_S, len(away) - MOST_KEPT
        for index, call_id in enumerate(away):
            left_at = self._calls[call_id].left_at
            if index < surplus or (left_at is not None and left_at < past):
                del self._calls[call_id]
