"""What the bridge has a carrier do besides streaming: the interface that each carrier fills in.

Twilio's is ``rest.TwilioRest``. Another carrier's stands beside it, with the same names: a request
takes numbers in E.164 and returns the carrier's id of what was made, or raises ``RestError``. None
blocks the event loop and none lasts longer than ``rest.ANSWER_WITHIN_S``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from voicebridge.errors import CarrierError

RING_S = 30


class RestError(CarrierError):
    """The carrier's API refused, or could not be reached.

    ``status`` is the HTTP status, ``code`` the carrier's own; None where there was no answer.
    ``retry_after_s`` is how long it wants to be left alone. ``temporary`` tells whether the same
    request may succeed later.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.retry_after_s = status, code, retry_after_s

    @property
    def temporary(self) -> bool:
        """Whether it is worth trying again later."""
        return self.status is None or self.status == 429 or self.status >= 500


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCall:
    """A call to be placed; the URLs are ours. ``machine_url`` None detects no machines."""

    to: str
    caller_id: str
    voice_url: str
    status_url: str
    machine_url: str | None = None
    ring_s: int = RING_S


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """A text message. ``sender`` is a number of ours, or the id of a service that has some."""

    to: str
    sender: str
    text: str


class Rest(Protocol):
    """What placing calls needs of a carrier."""

    async def create_call(self, call: NewCall) -> str:
        """Place a call and return its id; raises ``RestError``."""
        ...

    async def hang_up(self, call_id: str) -> None:
        """End a call; one that has ended already is no error. Raises ``RestError``."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class CarrierActions(Rest, Protocol):
    """All that a carrier can be asked for.

    ``redirect`` and ``tell`` return False for a call that has ended already.
    """

    async def redirect(self, call_id: str, url: str) -> bool:
        """Have a live call go on with what ``url``, one of ours, answers; into a conference too."""
        ...

    async def tell(self, call_id: str, words: str) -> bool:
        """Have a live call hear ``words``, and end it then."""
        ...

    async def send_message(self, message: NewMessage) -> str:
        """Send a text message and return its id."""
        ...
