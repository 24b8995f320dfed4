"""A small world for the doctor: a TLS proxy to spoil, certificates, the carrier's REST."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Callable
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
    """The two things that are asked of the carrier's REST API (Twilio, section 8)."""

    numbers: list[dict[str, Any]] = field(default_factory=list)
    ahead_s: float = 0.0
    status: int = 200
    url: str = ""

    async def listed(self, request: web.Request) -> web.Response:
        known = "Basic " + base64.b64encode(f"{SID}:{TOKEN}".encode()).decode()
        if request.headers.get("Authorization") != known or request.match_info["sid"] != SID:
            return web.json_response({"code": 20003, "message": "Authenticate"}, status=401)
        if self.status != 200:
            return web.Response(status=self.status, text="trouble")
        return web.json_response({"incoming_phone_numbers": self.numbers, "page": 0})

    async def hour(self, _request: web.Request) -> web.Response:
        told = datetime.now(UTC) + timedelta(seconds=self.ahead_s)
        return web.Response(headers={"Date": format_datetime(told, usegmt=True)})


@asynccontextmanager
async def twilio_rest() -> AsyncIterator[TwilioRest]:
    """Serve the carrier's REST API on loopback."""
    rest = TwilioRest()
    app = web.Application()
    app.router.add_get("/2010-04-01/Accounts/{sid}/IncomingPhoneNumbers.json", rest.listed)
    app.router.add_head("/", rest.hour)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        rest.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield rest
    finally:
        await runner.cleanup()
