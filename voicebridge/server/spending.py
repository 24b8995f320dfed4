"""The spend caps: what a call, all calls of an hour and all calls of a day may cost.

At four fifths of any cap the agents whose calls spend on are told to come to an end, once a call;
at the whole of it their calls end with a goodbye, and no further call is answered.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from voicebridge.call import events as ev
from voicebridge.call.reasons import EndReason
from voicebridge.realtime import Usage
from voicebridge.server.crew.board import Board
from voicebridge.server.prices import cost_usd
from voicebridge.settings import Limits, Prices

log = structlog.get_logger(__name__)

WARN_AT = 0.8
WRAP_UP = (
    "(This call has nearly reached its limit. Settle what is open now and come to a friendly end "
    "within the next one or two turns. Do not mention a limit.)"
)
GOODBYE = "The call has to end now. Say a short, friendly goodbye; the call ends after it."
HOUR_S, DAY_S = 3600.0, 86_400.0


class Spending:
    """What the calls of this node spend, at all its workers; it outlives each of them."""

    def __init__(self, limits: Limits, board: Board | None = None) -> None:
        self._limits, self._board = limits, board or Board.alone()
        caps = ((HOUR_S, limits.spend_per_hour_usd), (DAY_S, limits.spend_per_day_usd))
        self._caps = [(length_s, cap) for length_s, cap in caps if cap]

    @property
    def exhausted(self) -> bool:
        """Whether no further call may be answered."""
        return self.share() >= 1

    def share(self) -> float:
        """Tell how much of the hour's cap or the day's is spent, whichever is fuller."""
        now, spent = time.monotonic(), self._board.spent
        return max((spent.since(now - length_s) / cap for length_s, cap in self._caps), default=0.0)

    def purse(self, prices: Prices) -> Purse:
        """Open the purse of a call."""
        return Purse(self, prices, self._limits.spend_per_call_usd)

    def add(self, usd: float) -> None:
        """Take note of money spent."""
        with self._board.lock:
            self._board.spent.add(usd, time.monotonic())


class Purse:
    """What one call spends; ``feed`` hears when the call is to end."""

    def __init__(self, spending: Spending, prices: Prices, cap_usd: float | None) -> None:
        self.spent_usd = 0.0
        self.feed: Callable[[ev.Event], None] | None = None
        self._all, self._prices, self._cap = spending, prices, cap_usd
        self._warned = self._over = False

    def used(self, usage: Usage) -> None:
        """Take note of what a response has used."""
        usd = cost_usd(usage, self._prices)
        self.spent_usd += usd
        self._all.add(usd)
        share = max(self.spent_usd / self._cap if self._cap else 0.0, self._all.share())
        if share >= 1 and not self._over:
            self._over = self._warned = True  # who says goodbye is not told to wrap up
            log.warning("spend_limit_reached", spent_usd=round(self.spent_usd, 4))
            self._tell(ev.GoodbyeRequested(EndReason.SPEND_LIMIT, GOODBYE))
        elif share >= WARN_AT and not self._warned:
            self._warned = True
            log.info("spend_limit_near", spent_usd=round(self.spent_usd, 4))
            self._tell(ev.Advised(WRAP_UP))

    def _tell(self, event: ev.Event) -> None:
        if self.feed is not None:
            self.feed(event)
