"""Play the carrier: ring the bridge's webhook, read its TwiML, open the stream that it names.

What a real call would meet, a rehearsed one meets as well: signatures on the webhook and the
handshake, the verbs after the stream once the bridge closes it, the debugger's error codes.
Speech of ``<Say>`` and ``<Play>`` is noted, not sounded; how a ``<Dial>`` goes is an option.
Stream status callbacks are not sent.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field

import aiohttp

from voicebridge.rehearsal.behaviour import CallerBehaviour
from voicebridge.rehearsal.call_in_progress import HANDSHAKE_TIMEOUT_S, CallInProgress
from voicebridge.rehearsal.notes import Listener
from voicebridge.rehearsal.phone_log import PhoneLog
from voicebridge.rehearsal.placed_call import PlacedCall
from voicebridge.rehearsal.rooms import Rooms
from voicebridge.rehearsal.stream import Network
from voicebridge.rehearsal.webhook import Subscriber, Webhook

ACCOUNT_SID = "AC" + "0" * 32


@dataclass(kw_only=True)
class CarrierOptions:
    """How the simulated carrier behaves.

    Without ``auth_token`` nothing is signed. ``network_delay_ms`` is one way; jitter adds
    0 … ``jitter_ms`` to it, and nothing overtakes. ``dials`` is how each ``<Dial>`` goes, in
    order; further ones are answered.
    """

    auth_token: str | None = field(default=None, repr=False)
    account_sid: str = ACCOUNT_SID
    from_number: str = "+15550100001"
    to_number: str = "+15550100002"
    network_delay_ms: int = 0
    jitter_ms: int = 0
    seed: int = 0
    on_event: Listener | None = None
    dials: tuple[str, ...] = ()
    rooms: Rooms = field(default_factory=Rooms)


@dataclass
class SimulatedCarrier(CarrierOptions):
    """A carrier that places calls to one webhook; each call has its own log and telephone."""

    webhook_url: str

    async def place_call(
        self, behaviour: CallerBehaviour, *, deadline_s: float, placed: PlacedCall | None = None
    ) -> PhoneLog:
        """Place a call and carry it to its end; after ``deadline_s`` the caller hangs up.

        ``placed`` is the bridge's own wish for a call. Never raises for what the bridge does
        wrong: the log's ``errors`` and ``protocol_violations`` tell.
        """
        log = PhoneLog(
            call_sid=placed.call_sid if placed else "CA" + secrets.token_hex(16),
            network_delay_ms=self.network_delay_ms,
            jitter_ms=self.jitter_ms,
        )
        timeout = aiohttp.ClientTimeout(total=None, connect=HANDSHAKE_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as http:
            call = CallInProgress(
                log,
                http,
                Webhook(http, log, self._who(placed), self.auth_token),
                behaviour,
                network=Network(self.network_delay_ms, self.jitter_ms, self.seed),
                options=self,
            )
            deadline = time.monotonic() + deadline_s
            if placed is None:
                await call.carry(self.webhook_url, deadline)
            else:
                await call.carry_placed(placed, deadline)
        return log

    def _who(self, placed: PlacedCall | None) -> Subscriber:
        if placed is None:
            return Subscriber(self.account_sid, self.from_number, self.to_number)
        return Subscriber(self.account_sid, placed.caller_id, placed.to, "outbound-api")
