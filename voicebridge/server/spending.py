"""The spend caps: what a call, all calls of an hour and all calls of a day may cost.

At four fifths of any cap the agents whose calls spend on are told to come to an end, once a call;
at the whole of it their calls end with a goodbye, and no further call is answered.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import structlog

from voicebridge.call import events as ev
from voicebridge.call.reasons import EndReason
from voicebridge.realtime import Usage
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
_GRAIN_S = 60.0


class Window:
    """A sum over the last ``length_s`` seconds, kept by the minute."""

    def __init__(self, length_s: float, cap: float | None) -> None:
        self.cap, self._length_s = cap, length_s
        self._sums: deque[tuple[float, float]] = deque()

    def add(self, amount: float, now: float) -> None:
        """Add an amount."""
        minute = now // _GRAIN_S
        if self._sums and self._sums[-1][0] == minute:
            amount += self._sums.pop()[1]
        self._sums.append((minute, amount))

    def share(self, now: float) -> float:
        """Tell how much of the cap is spent: 1.0 is all of it."""
        oldest = (now - self._length_s) // _GRAIN_S
        while self._sums and self._sums[0][0] <= oldest:
            self._sums.popleft()
        return sum(amount for _, amount in self._sums) / self.cap if self.cap else 0.0


class Spending:
    """What the calls of this process spend."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._windows = (
            Window(HOUR_S, limits.spend_per_hour_usd),
            Window(DAY_S, limits.spend_per_day_usd),
        )

    @property
    def exhausted(self) -> bool:
        """Whether no further call may be answered."""
        return self.share() >= 1

    def share(self) -> float:
        """Tell how much of the fuller of both windows is spent."""
        now = time.monotonic()
        return max(window.share(now) for window in self._windows)

    def purse(self, prices: Prices) -> Purse:
        """Open the purse of a call."""
        return Purse(self, prices, self._limits.spend_per_call_usd)

    def add(self, usd: float) -> None:
        """Take note of money spent."""
        now = time.monotonic()
        for window in self._windows:
            window.add(usd, now)


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
            self._over = True
            log.warning("spend_limit_reached", spent_usd=round(self.spent_usd, 4))
            self._tell(ev.GoodbyeRequested(EndReason.SPEND_LIMIT, GOODBYE))
        elif share >= WARN_AT and not self._warned:
            self._warned = True
            log.info("spend_limit_near", spent_usd=round(self.spent_usd, 4))
            self._tell(ev.Advised(WRAP_UP))

    def _tell(self, event: ev.Event) -> None:
        if self.feed is not None:
            self.feed(event)
