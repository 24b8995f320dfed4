"""A small world for the doctor: a TLS proxy to spoil, certificates, the carrier's REST."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import trustme
from aiohttp import web

SID, TOKEN = "AC0123456789abcdef0123456789abcdef", "carrier-auth-token"
READ_BYTES = 65536

CA = trustme.CA()
STRANGER = trustme.CA()
NOW = datetime.now(UTC)


def certificate(
    *names: str, days: float = 90, ca: trustme.CA = CA, begun: datetime | None = None
) -> trustme.LeafCert:
    """Issue a certificate, for localhost if no other name is given."""
    ends = NOW + timedelta(days=days)
    begins = begun or min(NOW, ends) - timedelta(days=30)
    return ca.issue_cert(*(names or ("localhost",)), not_before=begins, not_after=ends)


def trust() -> ssl.SSLContext:
    """Trust our own authority and no other."""
    return ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cadata=CA.cert_pem.bytes().decode())


@dataclass
class Front:
    """The public address: passes bytes to the bridge, spoils them, or answers by itself."""

    port: int = 0
    bridge_port: int = 0
    spoil: Callable[[bytes], bytes] = lambda request: request
    answer: bytes | None = None
    scheme: str = "https"

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self.answer is not None:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(self.answer)
                await writer.drain()
                return
            inner = await asyncio.open_connection("127.0.0.1", self.bridge_port)
            try:
                async with asyncio.TaskGroup() as pipes:
                    pipes.create_task(_pipe(reader, inner[1], self.spoil))
                    pipes.create_task(_pipe(inner[0], writer, lambda reply: reply))
            finally:
                inner[1].close()
        except* (OSError, asyncio.IncompleteReadError):
            pass  # one side has hung up, which ends the other
        finally:
            writer.close()


async def _pipe(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, change: Callable[[bytes], bytes]
) -> None:
    while data := await reader.read(READ_BYTES):
        writer.write(change(data))
        await writer.drain()
    writer.close()


@asynccontextmanager
async def fronted(leaf: trustme.LeafCert | None) -> AsyncIterator[Front]:
    """Listen with a certificate, or without TLS."""
    front = Front(scheme="https" if leaf else "http")
    context = None
    if leaf:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        leaf.configure_cert(context)
    server = await asyncio.start_server(front.serve, "127.0.0.1", 0, ssl=context)
    front.port = server.sockets[0].getsockname()[1]
    try:
        yield front
    finally:
        server.close()


def http_answer(status: str, body: str = "", *headers: str) -> bytes:
    """Write a whole HTTP answer."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


@dataclass
class TwilioRest:
    """What is asked of the carrier's REST API (Twilio, section 8), and what its console changes."""

    numbers: list[dict[str, Any]] = field(default_factory=list)
    account: dict[str, str] = field(default_factory=lambda: {"status": "active", "type": "Full"})
    verified: list[str] = field(default_factory=list)
    country_codes: list[str] = field(default_factory=lambda: ["+1"])
    tokens: set[str] = field(default_factory=lambda: {TOKEN})
    ahead_s: float = 0.0
    status: int = 200
    url: str = ""
    changed: int = 0
    placed: list[dict[str, str]] = field(default_factory=list)

    def routes(self) -> list[web.RouteDef]:
        base = "/2010-04-01/Accounts/{sid}"
        return [
            web.head("/", self.hour),
            web.get(base + ".json", self._answering(lambda: {"sid": SID, **self.account})),
            web.get(
                base + "/IncomingPhoneNumbers.json",
                self._answering(lambda: {"incoming_phone_numbers": self.numbers, "page": 0}),
            ),
            web.post(base + "/IncomingPhoneNumbers/{number}.json", self.change_number),
            web.get(base + "/OutgoingCallerIds.json", self.caller_ids),
            web.post(base + "/Calls.json", self.place),
            web.get(
                "/v1/DialingPermissions/Countries",
                self._answering(lambda: {"content": self.countries(), "meta": {}}),
            ),
        ]

    def countries(self) -> list[dict[str, Any]]:
        return [
            {"iso_code": "XX", "country_codes": [code], "low_risk_numbers_enabled": True}
            for code in self.country_codes
        ]

    def refused(self, request: web.Request) -> web.Response | None:
        """Answer who is not the account's owner, or everybody while there is trouble."""
        known = {
            "Basic " + base64.b64encode(f"{SID}:{token}".encode()).decode() for token in self.tokens
        }
        named = request.match_info.get("sid", SID) == SID
        if request.headers.get("Authorization") not in known or not named:
            return web.json_response({"code": 20003, "message": "Authenticate"}, status=401)
        return None if self.status == 200 else web.Response(status=self.status, text="trouble")

    def _answering(
        self, told: Callable[[], Any]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            return self.refused(request) or web.json_response(told())

        return answer

    async def caller_ids(self, request: web.Request) -> web.Response:
        wanted = request.query.get("PhoneNumber")
        listed = [{"phone_number": each} for each in self.verified if wanted in (None, each)]
        return self.refused(request) or web.json_response({"outgoing_caller_ids": listed})

    async def change_number(self, request: web.Request) -> web.Response:
        """Change a number's webhooks, as the console does."""
        if refused := self.refused(request):
            return refused
        names = {
            "VoiceUrl": "voice_url",
            "VoiceMethod": "voice_method",
            "VoiceFallbackUrl": "voice_fallback_url",
            "StatusCallback": "status_callback",
            "StatusCallbackMethod": "status_callback_method",
        }
        (number,) = [each for each in self.numbers if each["sid"] == request.match_info["number"]]
        for name, value in (await request.post()).items():
            number[names[name]] = str(value)
        self.changed += 1
        return web.json_response(number)

    async def place(self, request: web.Request) -> web.Response:
        """Place a call that nobody answers."""
        if refused := self.refused(request):
            return refused
        self.placed.append({name: str(value) for name, value in (await request.post()).items()})
        return web.json_response({"sid": f"CA{len(self.placed):032d}"}, status=201)

    async def hour(self, _request: web.Request) -> web.Response:
        told = datetime.now(UTC) + timedelta(seconds=self.ahead_s)
        return web.Response(headers={"Date": format_datetime(told, usegmt=True)})


@asynccontextmanager
async def twilio_rest() -> AsyncIterator[TwilioRest]:
    """Serve the carrier's REST API on loopback."""
    rest = TwilioRest()
    app = web.Application()
    app.router.add_routes(rest.routes())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        rest.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield rest
    finally:
        await runner.cleanup()
