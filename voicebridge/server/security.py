"""Who may come in: signed requests, and streams that carry a token of ours."""

from __future__ import annotations

import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence

from aiohttp import web

from voicebridge.carriers import twilio
from voicebridge.errors import SignatureError
from voicebridge.server.door import Networks
from voicebridge.server.expected import Expected

TOKEN_LIFE_S = 60.0
MOST_TOKENS = 10_000
_DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}


class StreamTokens:
    """Single-use tokens that tie a media stream to the call it was minted for."""

    def __init__(self) -> None:
        self._pending: OrderedDict[str, tuple[float, Expected]] = OrderedDict()

    def mint(self, expected: Expected) -> str:
        """Make a token for a call that is expected within ``TOKEN_LIFE_S``."""
        self._forget_old()
        token = secrets.token_urlsafe(24)
        self._pending[token] = (time.monotonic() + TOKEN_LIFE_S, expected)
        return token

    def spend(self, token: str, call_id: str) -> Expected | None:
        """Take a token in; None if it is unknown, spent, too old or another call's."""
        self._forget_old()
        _, expected = self._pending.get(token, (0.0, None))
        if expected is None or expected.call_id != call_id:
            return None
        del self._pending[token]
        return expected

    def _forget_old(self) -> None:
        now = time.monotonic()
        while self._pending:
            token, (expires, _) = next(iter(self._pending.items()))
            if expires > now and len(self._pending) < MOST_TOKENS:
                return
            del self._pending[token]


class RequestGuard:
    """Checks that requests come from the carrier.

    While an auth token is being replaced, the old one counts as well. Without any, nothing can be
    checked and everything is let in: the caller of this class sees to it that this happens on
    loopback only. ``proxies`` are those whose forwarded headers are believed.
    """

    def __init__(
        self,
        auth_tokens: Sequence[str],
        public_url: str | None,
        proxies: Networks | None = None,
    ) -> None:
        self._auth_tokens, self._public_url = tuple(auth_tokens), public_url
        self._proxies = proxies or Networks(())

    @property
    def checks(self) -> bool:
        """Whether requests are checked at all."""
        return bool(self._auth_tokens)

    def base_url(self, request: web.BaseRequest) -> str:
        """Return the URL by which the carrier reaches us, without a path.

        Without a public URL it is what the request names; of the forwarded headers only those
        that a trusted proxy has set are believed.
        """
        if self._public_url:
            return self._public_url
        scheme, host = request.scheme, request.host
        if (request.remote or "") in self._proxies:
            scheme = _last(request, "X-Forwarded-Proto") or scheme
            host = _last(request, "X-Forwarded-Host") or host
        return f"{scheme if scheme in {'http', 'https'} else 'http'}://{host}"

    def address(self, request: web.BaseRequest) -> str:
        """Return the address that a request comes from: the last that no trusted proxy has."""
        address = request.remote or "unknown"
        named = ",".join(request.headers.getall("X-Forwarded-For", ())).split(",")
        while address in self._proxies and named:
            address = named.pop().strip() or address
        return address

    def stream_url(self, request: web.BaseRequest, path: str) -> str:
        """Return the websocket URL of a path: ``wss`` where the public URL is ``https``."""
        return "ws" + self.base_url(request).removeprefix("http") + path

    def check(self, request: web.BaseRequest, form: Iterable[tuple[str, str]] = ()) -> None:
        """Raise ``SignatureError`` unless the carrier signed this request."""
        if not self._auth_tokens:
            return
        path = request.raw_path
        if request.headers.get("Upgrade", "").lower() == "websocket":
            urls = [self.stream_url(request, path), self.base_url(request) + path]
        else:
            urls = [self.base_url(request) + path]
        claimed = request.headers.get(twilio.SIGNATURE_HEADER)
        fields = list(form)
        if not any(
            twilio.is_signed(auth_token, spelling, fields, claimed)
            for auth_token in self._auth_tokens
            for url in urls
            for spelling in _with_and_without_port(url)
        ):
            raise SignatureError(
                f"{request.method} {request.path} is not signed for {urls[0]}; if it came from the "
                "carrier, check TWILIO_AUTH_TOKEN and VOICEBRIDGE_PUBLIC_URL"
            )


def _last(request: web.BaseRequest, name: str) -> str:
    """Return the last value of a list header: the one that the nearest proxy has set."""
    return ",".join(request.headers.getall(name, ())).split(",")[-1].strip()


def _with_and_without_port(url: str) -> tuple[str, str]:
    """Spell a URL both ways, since the carrier signs either (Twilio Media Streams, section 6).

    The host may be anything that a stranger wrote into a header, so it is only cut, not parsed.
    """
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    bare = re.sub(r":\d*$", "", host)
    full = host if host != bare else f"{host}:{_DEFAULT_PORTS[scheme]}"
    return f"{scheme}://{bare}{slash}{path}", f"{scheme}://{full}{slash}{path}"
