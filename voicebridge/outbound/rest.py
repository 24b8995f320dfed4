"""Twilio's REST API by its official client, off nobody's event loop (Twilio, section 8).

A request that may have had its effect is not repeated. One whose repetition changes nothing is
tried a second time when the carrier failed; one that was turned away for being too many, whatever
it is, when the carrier asks for a wait that a caller can bear.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import aiohttp

from voicebridge.carriers.twilio import twiml_hang_up
from voicebridge.errors import ConfigError
from voicebridge.outbound.carrier_actions import (
    CarrierActions,
    NewCall,
    NewMessage,
    Rest,
    RestError,
)

if TYPE_CHECKING:
    from twilio.rest import Client

    from voicebridge.outbound.twilio_http import TwilioHttp

__all__ = ["CarrierActions", "NewCall", "Rest", "RestError", "TwilioRest"]

API = "https://api.twilio.com"
ANSWER_WITHIN_S = 10.0
"""How long an answer may take, a second attempt included."""

LONGEST_WAIT_S = 3.0
"""A carrier that wants to be left alone for longer is not waited for."""

_ALREADY_OVER = {20404, 21220}
"""The call is not there, or not in a state from which it could be ended: it has ended."""

_SERVICE = "MG"
"""How the id of a messaging service begins."""

_ACCOUNT = "twilio.rest.api.v2010.account"
_MODULES = (
    "twilio.twiml.voice_response",
    "voicebridge.outbound.twilio_http",
    *(f"{_ACCOUNT}.{name}" for name in ("call", "conference", "message")),
)

T = TypeVar("T")


class TwilioRest:
    """Twilio's REST API; ``origin`` is its address. Fills in ``CarrierActions``."""

    def __init__(self, account_sid: str, auth_token: str, origin: str = API) -> None:
        if find_spec("twilio") is None:
            raise ConfigError(
                "calls are placed with the help of two packages: "
                "pip install 'voicebridge[outbound]'",
                key="outbound.enabled",
            )
        self._account_sid, self._auth_token, self._origin = account_sid, auth_token, origin
        self._opened: Client | None = None
        self._http: TwilioHttp | None = None

    async def _client(self) -> Client:
        """Return the library's client; it is large, so it is loaded when there is use for it."""
        if self._opened is None:
            await asyncio.to_thread(_load)
        if self._opened is None:
            from twilio.rest import Client

            from voicebridge.outbound.twilio_http import TwilioHttp

            self._http = TwilioHttp(self._origin)
            self._opened = Client(self._account_sid, self._auth_token, http_client=self._http)
        return self._opened

    async def create_call(self, call: NewCall) -> str:
        """Place a call; see ``Rest``."""
        told: dict[str, Any] = {}
        if call.machine_url:
            told = {
                "machine_detection": "DetectMessageEnd",
                "async_amd": "true",
                "async_amd_status_callback": call.machine_url,
            }
        client = await self._client()
        created = await _asked(
            lambda: client.calls.create_async(
                to=call.to,
                from_=call.caller_id,
                url=call.voice_url,
                method="POST",
                status_callback=call.status_url,
                status_callback_event=["initiated", "ringing", "answered", "completed"],
                timeout=call.ring_s,
                **told,
            )
        )
        return _id(created.sid)

    async def hang_up(self, call_id: str) -> None:
        """End a call; see ``Rest``."""
        await self._change(call_id, status="completed")

    async def redirect(self, call_id: str, url: str) -> bool:
        """Have a call go on elsewhere; see ``CarrierActions``."""
        return await self._change(call_id, url=url, method="POST")

    async def tell(self, call_id: str, words: str) -> bool:
        """Say something and end the call; see ``CarrierActions``."""
        return await self._change(call_id, twiml=twiml_hang_up(words))

    async def send_message(self, message: NewMessage) -> str:
        """Send a text message; see ``CarrierActions``."""
        by_service = message.sender.startswith(_SERVICE)
        sender = {"messaging_service_sid" if by_service else "from_": message.sender}
        client = await self._client()
        sent = await _asked(
            lambda: client.messages.create_async(to=message.to, body=message.text, **sender)
        )
        return _id(sent.sid)

    async def close(self) -> None:
        """Close the library's connections."""
        http, self._http, self._opened = self._http, None, None
        if http is not None:
            await http.close()

    async def _change(self, call_id: str, **told: str) -> bool:
        client = await self._client()
        return await _unless_over(lambda: client.calls(_segment(call_id)).update_async(**told))


def _id(told: object) -> str:
    """Return the id of what was made; an answer without one says nothing of it."""
    if not isinstance(told, str) or not told:
        raise RestError("an answer that cannot be read: it names nothing")
    return told


def _segment(name: str) -> str:
    """Write a name as one segment of a path, which the library does not."""
    return quote(name, safe="")


def _load() -> None:
    """Import what will be needed: a large library, whose import would hold up every call."""
    for module in _MODULES:
        import_module(module)


async def _unless_over(ask: Callable[[], Awaitable[object]]) -> bool:
    """Ask for a change of a live call, which may be asked for twice; False if it has ended."""
    try:
        await _asked(ask, repeatable=True)
    except RestError as error:
        if error.status != 404 and error.code not in _ALREADY_OVER:
            raise
        return False
    return True


async def _asked(ask: Callable[[], Awaitable[T]], *, repeatable: bool = False) -> T:
    """Wait for an answer, on a second attempt if the first may be repeated."""
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            try:
                return await _translated(ask())
            except RestError as error:
                wait_s = _worth_waiting_s(error, repeatable)
                if wait_s is None:
                    raise
                await asyncio.sleep(wait_s)
            return await _translated(ask())
    except TimeoutError:
        raise RestError(f"the carrier did not answer within {ANSWER_WITHIN_S:g} s") from None


def _worth_waiting_s(error: RestError, repeatable: bool) -> float | None:
    """Tell how long to wait before the one further attempt; None if there is to be none."""
    if error.status == 429:
        wait_s = error.retry_after_s
        return wait_s if wait_s is not None and wait_s <= LONGEST_WAIT_S else None
    return 0.0 if repeatable and error.temporary else None


async def _translated(request: Awaitable[T]) -> T:
    """Wait for an answer and translate what may go wrong."""
    from twilio.base.exceptions import TwilioException, TwilioRestException

    from voicebridge.outbound.twilio_http import TooManyRequests

    try:
        return await request
    except TooManyRequests as error:
        raise RestError(
            "the carrier has too much to do", status=429, code=20429, retry_after_s=error.wait_s
        ) from None
    except TwilioRestException as error:
        # For an answer that is none of its own, the library repeats the status as the code.
        code = error.code if error.code != error.status else None
        raise RestError(
            f"the carrier refused: {error.msg}", status=error.status, code=code
        ) from None
    except TimeoutError:  # an OSError, but it is the deadline of whoever asks
        raise
    except (aiohttp.ClientError, OSError) as error:
        raise RestError(f"the carrier cannot be reached: {type(error).__name__}") from None
    except (TwilioException, ValueError, KeyError) as error:
        raise RestError(f"an answer that cannot be read: {type(error).__name__}") from None
