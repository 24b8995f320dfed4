"""Warm transfers: a colleague is called, told what it is about, and takes the call or does not.

The caller stays with the agent all the while. What happens, in order:

1. the tool ``transfer`` has the colleague called; their telephone rings, and the carrier tells us;
2. who answers hears the summary and presses 1, and then waits in a conference room;
3. the agent says so, our stream ends, and the carrier is told that the caller goes there as well.

Whoever leaves before that is not waited for: a colleague who does not take the call is told to the
agent, a colleague without a caller is told so and hung up, and a caller whose colleague is gone
comes back to the agent.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import urlencode

import structlog

from voicebridge.call.reasons import EndReason
from voicebridge.errors import ToolFailed
from voicebridge.outbound.carrier_actions import CarrierActions, NewCall, RestError
from voicebridge.personas.destinations import Destination
from voicebridge.server.errands import Errands
from voicebridge.server.paths import COLLEAGUE_PATH, COLLEAGUE_STATUS_PATH
from voicebridge.server.visit import ATTEMPT_NAME, CALL_NAME, WORKER_NAME
from voicebridge.tools import colleagues as tools

log = structlog.get_logger(__name__)

LISTEN_WITHIN_S = 60.0
"""How long a colleague may take who has answered: the summary, and a key."""

JOIN_WITHIN_S = 15.0
"""How long a colleague waits for the caller once our stream has ended."""

MISSED_WITHIN_S = 3.0
"""A colleague who leaves so soon after the caller was sent has not met the caller."""

MOST = 1000
"""Transfers that are remembered at once."""

NOBODY = "The caller is not on the line any more. Goodbye."
NO_SUMMARY = "A caller would like to speak to you."
TAKES_IT = "1"
_NOT_PLACED = "the call could not be placed"
_WHY = {"busy": "busy", "no-answer": "no answer", "completed": "declined"}
_OVER = {"busy", "no-answer", "failed", "canceled", "completed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """The call for which colleagues are asked: its id, our number in it, and our address.

    ``worker`` names the process that it belongs to, where there are several.
    """

    call_id: str
    our_number: str
    base_url: str
    worker: str = ""

    @property
    def query(self) -> str:
        """What names the call in the URLs that are about a colleague's."""
        told = {CALL_NAME: self.call_id, WORKER_NAME: self.worker}
        return urlencode({name: value for name, value in told.items() if value})


@dataclass(slots=True)
class Asked:
    """A colleague who was asked. ``answer`` is why not, or None of one who takes the call."""

    caller_id: str
    attempt: str
    words: str
    place: Destination
    answer: asyncio.Future[str | None]
    dialling: asyncio.Task[str] | None = None
    taken: bool = False
    gone: bool = False
    back_url: str = ""
    sent_at: float | None = None
    timer: asyncio.TimerHandle | None = field(default=None, repr=False)

    @property
    def open(self) -> bool:
        """Whether the answer is still to come, or the caller still to be sent."""
        return not self.answer.done() or (self.taken and not self.gone and self.sent_at is None)


@dataclass(frozen=True, slots=True)
class ForCall:
    """The colleagues as the tools of one call see them."""

    colleagues: Colleagues
    front: Front

    async def fetch(self, name: str, place: Destination, summary: str) -> None:
        """Call a colleague; see ``tools.colleagues.Colleagues``."""
        await self.colleagues.fetch(self.front, name, place, summary)


class Colleagues:
    """The warm transfers of this process, by the caller's call."""

    def __init__(self, carrier: CarrierActions) -> None:
        self._errands = Errands(carrier)
        self._asked: dict[str, Asked] = {}
        self._attempts = count(1)

    async def fetch(self, front: Front, name: str, place: Destination, summary: str) -> None:
        """Call a colleague for a call; see ``tools.colleagues.Colleagues``."""
        before = self._asked.get(front.call_id)
        if before is not None and before.open:
            raise ToolFailed("a transfer is under way already; wait for its result")
        words = f"{summary.strip() or NO_SUMMARY} {place.ask}"
        answer: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        asked = Asked(front.call_id, str(next(self._attempts)), words, place, answer)
        self._remember(asked)
        why: str | None = _NOT_PLACED
        try:
            why = await self._answer(asked, front)
        finally:
            if why is not None:
                self._give_up(asked)
        if why is not None:
            raise ToolFailed(
                f"{name} did not take the call: {why}. The caller is still with you: say so in "
                "one short sentence and ask how else you can help."
            )

    async def _answer(self, asked: Asked, front: Front) -> str | None:
        """Have the colleague called and wait for the answer: why not, or None."""
        query = f"{front.query}&{ATTEMPT_NAME}={asked.attempt}"
        call = NewCall(
            to=asked.place.number,
            caller_id=front.our_number,
            voice_url=f"{front.base_url}{COLLEAGUE_PATH}?{query}",
            status_url=f"{front.base_url}{COLLEAGUE_STATUS_PATH}?{query}",
            ring_s=asked.place.ring_s,
        )
        asked.dialling = self._errands.run(lambda carrier: carrier.create_call(call))
        try:
            colleague_call = await asyncio.shield(asked.dialling)
            log.info("colleague_called", colleague_call=colleague_call, to=call.to)
            async with asyncio.timeout(asked.place.ring_s + LISTEN_WITHIN_S):
                return await asked.answer
        except RestError as error:
            log.warning("colleague_not_called", error=str(error), code=error.code)
            return _NOT_PLACED
        except TimeoutError:
            return _WHY["no-answer"]

    # --- what the carrier asks and tells --------------------------------------------------------

    def words_for(self, call_id: str, attempt: str) -> tuple[str, str | None] | None:
        """Return what a colleague who answers is told, and its language; None if it is too late."""
        asked = self._find(call_id, attempt)
        if asked is None or asked.answer.done():
            return None
        return asked.words, asked.place.language

    def choose(self, call_id: str, attempt: str, key: str) -> bool:
        """Take a colleague's key; tells whether the call is taken by it."""
        asked = self._find(call_id, attempt)
        if asked is None or asked.answer.done():
            return False
        asked.taken = key == TAKES_IT
        asked.gone = not asked.taken
        asked.answer.set_result(None if asked.taken else _WHY["completed"])
        return asked.taken

    def heard_of(self, call_id: str, attempt: str, status: str) -> None:
        """Take note of how the colleague's call goes."""
        asked = self._find(call_id, attempt)
        if asked is None or status not in _OVER:
            return
        asked.gone = True
        if not asked.answer.done():
            asked.answer.set_result(_WHY.get(status, _NOT_PLACED))
        elif asked.sent_at is not None:
            if time.monotonic() - asked.sent_at > MISSED_WITHIN_S:
                self._forget(asked)
            else:
                self._errands.send(lambda carrier: carrier.redirect(call_id, asked.back_url))

    # --- what becomes of the caller -------------------------------------------------------------

    def stream_ended(self, call_id: str, reason: EndReason) -> None:
        """Send a colleague home whose caller will not come."""
        asked = self._asked.get(call_id)
        if asked is None or not asked.taken or asked.sent_at is not None:
            return
        if reason is EndReason.TRANSFERRED:
            loop = asyncio.get_running_loop()
            asked.timer = loop.call_later(JOIN_WITHIN_S, self._send_home, asked)
        else:
            self._send_home(asked)

    def send_caller(self, call_id: str, back_url: str) -> str | None:
        """Return the room in which a colleague waits for a caller; None if nobody does.

        ``back_url`` brings the caller back to the agent.
        """
        asked = self._asked.get(call_id)
        if asked is None or not asked.taken or asked.sent_at is not None:
            return None
        if asked.gone:
            self._forget(asked)
            return None
        asked.back_url, asked.sent_at = back_url, time.monotonic()
        if asked.timer is not None:
            asked.timer.cancel()
        return room_of(call_id)

    def has_missed(self, call_id: str) -> bool:
        """Take note that a caller has left the room; tells whether nobody was there."""
        asked = self._asked.get(call_id)
        if asked is None or asked.sent_at is None:
            return False
        self._forget(asked)
        return asked.gone

    async def close(self) -> None:
        """Send everybody home who still waits, and let what was asked of the carrier end."""
        for asked in list(self._asked.values()):
            if asked.taken and asked.sent_at is None:
                self._send_home(asked)
        await self._errands.close()

    # --- the rest -------------------------------------------------------------------------------

    def _remember(self, asked: Asked) -> None:
        self._asked.pop(asked.caller_id, None)
        self._asked[asked.caller_id] = asked
        if len(self._asked) > MOST:
            self._forget(next(iter(self._asked.values())))

    def _find(self, call_id: str, attempt: str) -> Asked | None:
        asked = self._asked.get(call_id)
        return asked if asked is not None and asked.attempt == attempt else None

    def _forget(self, asked: Asked) -> None:
        if self._asked.get(asked.caller_id) is asked:
            del self._asked[asked.caller_id]
        if asked.timer is not None:
            asked.timer.cancel()

    def _give_up(self, asked: Asked) -> None:
        """End the call of a colleague who does not take the caller's."""
        self._forget(asked)
        asked.answer.cancel()
        if asked.dialling is not None and not asked.gone:
            self._errands.end(asked.dialling, lambda id_: lambda carrier: carrier.hang_up(id_))

    def _send_home(self, asked: Asked) -> None:
        self._forget(asked)
        if asked.dialling is not None and not asked.gone:
            self._errands.end(asked.dialling, lambda id_: lambda carrier: carrier.tell(id_, NOBODY))


def for_call(colleagues: Colleagues | None, front: Front | None) -> tools.Colleagues:
    """Return the colleagues as the tools of a call see them; nobody where none can be called."""
    if colleagues is None or front is None:
        return tools.NoColleagues()
    return ForCall(colleagues, front)


def room_of(call_id: str) -> str:
    """Name the conference room of a call."""
    return f"call-{call_id}"
