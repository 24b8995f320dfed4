"""HTTP for the carrier's official client: on the event loop, bounded, and silent about numbers.

Its own asynchronous client is not used: it logs whom it calls, sends lists in a form that its HTTP
library refuses, and takes longer than a caller should wait.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from logging import getLogger
from typing import Any
from urllib.parse import urlencode

import aiohttp
from twilio.http import AsyncHttpClient
from twilio.http.response import Response

from voicebridge.errors import CarrierError

MOST_ANSWER_BYTES = 1024 * 1024
TOO_MANY = 429
_API = "https://api.twilio.com"


class TooManyRequests(CarrierError):
    """The API's answer 429; ``wait_s`` is how long it wants to be left alone, None if unsaid."""

    def __init__(self, wait_s: float | None) -> None:
        super().__init__("too many requests")
        self.wait_s = wait_s


class TwilioHttp(AsyncHttpClient):  # type: ignore[misc]  # the package has no types
    """Sends the client's requests. ``origin`` stands in for the API's own address."""

    def __init__(self, origin: str = _API) -> None:
        super().__init__(getLogger("voicebridge.outbound.twilio"), is_async=True)
        self._origin = origin
        self._session: aiohttp.ClientSession | None = None

    async def request(  # noqa: PLR0917 - the package's own order
        self,
        method: str,
        uri: str,
        params: Mapping[str, object] | None = None,
        data: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        **_unused: Any,
    ) -> Response:
        """Send one request; redirects are not followed, since the key would go with them."""
        self._session = self._session or aiohttp.ClientSession()
        sent = {**(headers or {}), "Content-Type": "application/x-www-form-urlencoded"}
        if auth is not None:
            sent["Authorization"] = "Basic " + b64encode(":".join(auth).encode()).decode("ascii")
        async with self._session.request(
            method.upper(),
            uri.replace(_API, self._origin, 1),
            params=[(name, str(value)) for name, value in (params or {}).items()],
            data=urlencode(data or {}, doseq=True),
            headers=sent,
            allow_redirects=False,
        ) as answer:
            if answer.status == TOO_MANY:
                raise TooManyRequests(_seconds(answer.headers.get("Retry-After", "")))
            body = await _read(answer.content)
            return Response(answer.status, body.decode("utf-8", "replace"), answer.headers)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()


async def _read(content: aiohttp.StreamReader) -> bytes:
    """Read an answer to its end, which comes in pieces; what is too long is cut."""
    body = bytearray()
    async for piece in content.iter_any():
        body += piece
        if len(body) >= MOST_ANSWER_BYTES:
            break
    return bytes(body)


def _seconds(written: str) -> float | None:
    """Read ``Retry-After``; a date, or anything else, counts as unsaid."""
    return float(written) if written.isascii() and written.isdigit() and len(written) < 5 else None
