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

MOST_ANSWER_BYTES = 1024 * 1024
_API = "https://api.twilio.com"


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
            body = await answer.content.read(MOST_ANSWER_BYTES)
            return Response(answer.status, body.decode("utf-8", "replace"), answer.headers)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
