"""JSON over HTTP, as the REST side of the API speaks it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import from_json, to_json

from voicebridge.realtime.errors import RealtimeProtocolError, RequestError
from voicebridge.realtime.transport.refused import (
    advice,
    describe,
    error_of_body,
    request_id_of,
    retry_after,
)

if TYPE_CHECKING:
    from aiohttp import ClientSession

HTTP_TIMEOUT_S: Final = 30.0


async def http_do(
    url: str,
    body: Any = None,
    *,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    session: ClientSession | None = None,
    timeout_s: float = HTTP_TIMEOUT_S,
) -> Any:
    """Send a JSON request and give the JSON of its reply, None if that has no body.

    A session of the caller's is used and left open; without one, one is made for this request.
    Redirects are not followed, since the key would go with them. Raises ``RequestError`` for a
    status other than 2xx or no reply, ``RealtimeProtocolError`` for a reply that is not JSON.
    """
    import aiohttp

    if session is None:
        async with aiohttp.ClientSession() as own:
            return await http_do(
                url, body, method=method, headers=headers, session=own, timeout_s=timeout_s
            )
    data = None if body is None else to_json(body)
    fields = {**({} if data is None else {"Content-Type": "application/json"}), **(headers or {})}
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    request = session.request(
        method, url, data=data, headers=fields, timeout=timeout, allow_redirects=False
    )
    try:
        async with request as reply:
            text = await reply.read()
            status, reply_headers = reply.status, dict(reply.headers)
    except TimeoutError as error:
        raise RequestError(f"no reply within {timeout_s:g} s") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise RequestError(f"no reply: {error}") from error
    if not 200 <= status < 300:
        raise _refused(status, reply_headers, text)
    return _json(text)


def _json(text: bytes) -> Any:
    if not text.strip():
        return None
    try:
        return from_json(text)
    except ValueError as error:
        raise RealtimeProtocolError(f"the reply is not JSON: {error}") from error


def _refused(status: int, headers: Mapping[str, str], text: bytes) -> RequestError:
    fields = {name.lower(): value for name, value in headers.items()}
    code, message, param = error_of_body(text)
    what = describe(f"the server refused the request with HTTP {status}", code, message)
    remedy = advice(status, code)
    return RequestError(
        f"{what}; {remedy}" if remedy else what,
        status=status,
        code=code,
        param=param,
        request_id=request_id_of(fields),
        retry_after_s=retry_after(fields),
    )
