"""Who may come in: signed requests, and streams that carry a token of ours."""

from __future__ import annotations

import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence

from aiohttp import web

from voicebridge.carriers import twilio
from voicebridge.errors import SignatureError
from voicebridge.server.door import Networks
from voicebridge.server.expected import Expected

TOKEN_LIFE_S = 60.0
MOST_TOKENS = 10_000
MOST_TOLD = 200
"""Characters of a stranger's path that an error repeats."""

SIGNED = web.RequestKey("signed", bool)
"""Set on a request that the carrier has signed, or that nobody need sign."""

_DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}


class StreamTokens:
    """Single-use tokens that tie a media stream to the call it was minted for."""

    def __init__(self) -> None:
        self._pending: OrderedDict[str, tuple[float, Expected]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._pending)

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

    While an auth token is being replaced, the old one counts as well, and the secret of a shared
    key besides. Without any, nothing can be checked and everything is let in: the caller of this
    class sees to it that this happens on loopback only. ``proxies`` are those whose forwarded
    headers are believed; ``accounts`` are those whose calls are taken, all where there are none.
    """

    def __init__(
        self,
        secrets: Sequence[str],
        public_url: str | None,
        proxies: Networks | None = None,
        accounts: Collection[str] = (),
    ) -> None:
        self._secrets, self._public_url = tuple(secrets), public_url
        self._proxies = proxies or Networks(())
        self._accounts = frozenset(accounts)

    @property
    def checks(self) -> bool:
        """Whether requests are checked at all."""
        return bool(self._secrets)

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

    def look(self, request: web.BaseRequest) -> tuple[str, str]:
        """Return a request's signature and its algorithm, before anything is read or computed.

        Raises ``SignatureError`` unless it has exactly one that could be the carrier's.
        """
        claimed = request.headers.getall(twilio.SIGNATURE_HEADER, ())
        settings = request.headers.getall(twilio.SIGNATURE_SETTINGS_HEADER, ())
        algorithm = twilio.signature_algorithm(",".join(settings))
        if self._secrets and (
            len(claimed) != 1 or not twilio.is_plausible(claimed[0], algorithm) or len(settings) > 1
        ):
            raise self._refusal(request, "carries no signature")
        return "".join(claimed), algorithm

    def check(
        self,
        request: web.BaseRequest,
        form: Iterable[tuple[str, str]] = (),
        body: bytes | None = None,
    ) -> None:
        """Raise ``SignatureError`` unless the carrier signed this request.

        ``form`` are the fields of a form; ``body`` is what came if that was none, and its hash
        has to stand in the URL.
        """
        if not self._secrets:
            request[SIGNED] = True
            return
        claimed, algorithm = self.look(request)
        if body and not twilio.is_body_signed(request.query, body):
            raise self._refusal(request, "has a body that is not signed")
        fields = list(form)
        if not any(
            twilio.is_signed(secret, url, fields, claimed, algorithm)
            for secret in self._secrets
            for url in self._urls(request)
        ):
            raise self._refusal(request, "is not signed")
        request[SIGNED] = True

    def knows_account(self, account_id: str) -> bool:
        """Tell whether calls of an account are taken."""
        return not (self._secrets and self._accounts) or account_id in self._accounts

    def _urls(self, request: web.BaseRequest) -> list[str]:
        """Spell the URL of a request in all ways in which the carrier may have signed it."""
        path = request.raw_path
        urls = [self.base_url(request) + path]
        if _is_handshake(request):
            urls.insert(0, self.stream_url(request, path))
        return [spelling for url in urls for spelling in _with_and_without_port(url)]

    def _refusal(self, request: web.BaseRequest, what: str) -> SignatureError:
        """Say what was refused; not the URL's query, which may hold what is not ours to tell."""
        path = request.raw_path.partition("?")[0][:MOST_TOLD]
        url = self.stream_url(request, path) if _is_handshake(request) else None
        return SignatureError(
            f"{request.method} {url or self.base_url(request) + path} {what}; if it came from the "
            "carrier, check TWILIO_AUTH_TOKEN and VOICEBRIDGE_PUBLIC_URL"
        )


def not_ours(account_id: str) -> str:
    """Say why a call of another account is refused."""
    return (
        f"a call of the account {account_id[:64]!r}, which is neither TWILIO_ACCOUNT_SID nor among "
        "security.accounts"
    )


def _is_handshake(request: web.BaseRequest) -> bool:
    return request.headers.get("Upgrade", "").lower() == "websocket"


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
