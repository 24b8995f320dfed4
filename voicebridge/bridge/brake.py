"""The brake: a model that says more than the carrier takes is left unread for a while.

What it has to say then waits in its own socket, and in the end with the server. The bounds are
far above what a call needs: a model on the brake cannot tell us that the caller speaks.
"""

from __future__ import annotations

from typing import Final, Protocol

from voicebridge.audio.format import ms_to_bytes

MOST_FOR_CARRIER: Final = 512 * 1024
"""Characters of messages that may wait for room in the carrier's socket: 48 s of speech."""

MOST_UNSENT_BYTES: Final = ms_to_bytes(600_000)
"""Speech that may wait for its time, where it goes out bit by bit: ten minutes."""


class Carrier(Protocol):
    """Where the speech goes."""

    @property
    def waiting(self) -> int: ...


class Playout(Protocol):
    """Where it is kept until then."""

    @property
    def unsent_bytes(self) -> int: ...


class Model(Protocol):
    """Where it comes from."""

    def hold(self, held: bool) -> None: ...


class Brake:
    """Holds one call's model back, and lets it go when half of what was too much is gone."""

    __slots__ = ("_carrier", "_playout", "held", "model")

    def __init__(self, carrier: Carrier, playout: Playout) -> None:
        self._carrier, self._playout = carrier, playout
        self.model: Model | None = None
        self.held = False

    def check(self) -> None:
        """Look whether anything has to change."""
        share = 2 if self.held else 1
        hold = (
            self._carrier.waiting * share > MOST_FOR_CARRIER
            or self._playout.unsent_bytes * share > MOST_UNSENT_BYTES
        )
        if hold is not self.held and self.model is not None:
            self.held = hold
            self.model.hold(hold)
