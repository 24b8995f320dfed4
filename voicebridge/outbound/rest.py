"""The carrier's REST API by its official client, off nobody's event loop (Twilio, section 8)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import aiohttp

from voicebridge.errors import CarrierError, ConfigError

if TYPE_CHECKING:
    from twilio.rest import Client

    from voicebridge.outbound.twilio_http import TwilioHttp

API = "https://api.twilio.com"
ANSWER_WITHIN_S = 10.0
RING_S = 30
_ALREADY_OVER = {20404, 21220}
"""The call is not there, or not in a state from which it could be ended: it has ended."""

T = TypeVar("T")


class RestError(CarrierError):
    """The carrier's API refused, or could not be reached.

    ``status`` is the HTTP status, ``code`` the carrier's own; None where there was no answer.
    ``temporary`` tells whether the same request may succeed later.
    """

    def __init__(self, message: str, *, status: int | None = None, code: int | None = None) -> None:
        super().__init__(message)
        self.status, self.code = status, code

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


class TwilioRest:
    """Twilio's REST API; ``origin`` is its address."""

    def __init__(self, account_sid: str, auth_token: str, origin: str = API) -> None:
        try:
            import twilio.rest  # noqa: F401 - only to find out whether it is there
        except ImportError:
            raise ConfigError(
                "calls are placed with the help of two packages: "
                "pip install 'voicebridge[outbound]'",
                key="outbound.enabled",
            ) from None
        self._account_sid, self._auth_token, self._origin = account_sid, auth_token, origin
        self._opened: Client | None = None
        self._http: TwilioHttp | None = None

    @property
    def _client(self) -> Client:
        """The library's client, which needs a running loop."""
        if self._opened is None:
            from twilio.rest import Client

            from voicebridge.outbound.twilio_http import TwilioHttp

            self._http = TwilioHttp(self._origin)
            self._opened = Client(self._account_sid, self._auth_token, http_client=self._http)
        return self._opened

    async def create_call(self, call: NewCall) -> str:
        """Place a call; see ``Rest``. It is not tried again: it might have been placed."""
        detecting: dict[str, str] = {}
        if call.machine_url:
            detecting = {
                "machine_detection": "DetectMessageEnd",
                "async_amd": "true",
                "async_amd_status_callback": call.machine_url,
            }
        created = await _asked(
            self._client.calls.create_async(
                to=call.to,
                from_=call.caller_id,
                url=call.voice_url,
                method="POST",
                status_callback=call.status_url,
                status_callback_event=["initiated", "ringing", "answered", "completed"],
                timeout=RING_S,
                **detecting,
            )
        )
        return str(created.sid)

    async def hang_up(self, call_id: str) -> None:
        """End a call; see ``Rest``."""
        try:
            await _asked(self._client.calls(call_id).update_async(status="completed"))
        except RestError as error:
            if error.status != 404 and error.code not in _ALREADY_OVER:
                raise

    async def close(self) -> None:
        """Close the library's connections."""
        if self._http is not None:
            await self._http.close()


async def _asked(request: Awaitable[T]) -> T:
    """Wait for an answer and translate what may go wrong."""
    from twilio.base.exceptions import TwilioException, TwilioRestException

    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            return await request
    except TwilioRestException as error:
        # For an answer that is none of its own, the library repeats the status as the code.
        code = error.code if error.code != error.status else None
        raise RestError(
            f"the carrier refused: {error.msg}", status=error.status, code=code
        ) from None
    except TimeoutError:
        raise RestError(f"the carrier did not answer within {ANSWER_WITHIN_S:g} s") from None
    except (aiohttp.ClientError, OSError) as error:
        raise RestError(f"the carrier cannot be reached: {type(error).__name__}") from None
    except (TwilioException, ValueError, KeyError) as error:
        raise RestError(f"an answer that cannot be read: {type(error).__name__}") from None
