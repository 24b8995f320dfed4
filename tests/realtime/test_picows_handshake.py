"""How the transport on picows opens a websocket, and leaves none behind that nobody has."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import pytest
import trustme
from picows_ends import end_of, next_of
from raw_ws_server import (
    CLOSE,
    TEXT,
    WITHIN_S,
    RawServer,
    close_frame,
    frame,
)

from voicebridge.realtime import ConnectError, MessageType
from voicebridge.realtime.transport import picows
from voicebridge.realtime.transport.picows import PicowsConn, PicowsDialer

SECRET = "sk-do-not-tell"


async def test_a_dial_that_is_cancelled_leaves_nothing_open() -> None:
    async with RawServer() as server:
        dialling = asyncio.create_task(PicowsDialer().dial(server.url, {}))
        await server.asked.wait()
        dialling.cancel()
        await asyncio.wait({dialling})
        server.answer.set()
        peer = await server.peer()
        assert await peer.frame() == (CLOSE, (1000).to_bytes(2, "big"))
        assert await peer.ended() == b""


async def test_a_dial_that_is_cancelled_as_it_succeeds_leaves_nothing_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dialling: asyncio.Task[PicowsConn]

    class Hurried(PicowsConn):
        def on_ws_connected(self, transport: Any) -> None:
            super().on_ws_connected(transport)
            dialling.cancel()

    monkeypatch.setattr(picows, "PicowsConn", Hurried)
    async with RawServer() as server:
        server.answer.set()
        dialling = asyncio.create_task(PicowsDialer().dial(server.url, {}))
        await asyncio.wait({dialling})
        assert dialling.cancelled()
        peer = await server.peer()
        assert await peer.frame() == (CLOSE, (1000).to_bytes(2, "big"))
        assert await peer.ended() == b""


async def test_a_refusal_is_told_by_status_and_body() -> None:
    body = b'{"error":{"code":"invalid_api_key","message":"Incorrect API key."}}'
    head = b"HTTP/1.1 401 Unauthorized\r\nx-request-id: req_7\r\nContent-Length: %d\r\n\r\n"
    async with RawServer(reply=head % len(body) + body) as server:
        server.answer.set()
        with pytest.raises(ConnectError, match=r"invalid_api_key: Incorrect API key") as caught:
            await PicowsDialer().dial(server.url, {})
    assert (caught.value.status, caught.value.request_id) == (401, "req_7")


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: wrong\r\n\r\n",
        b"220 smtp ready\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n<html>",
    ],
)
async def test_what_is_no_websocket_server_is_a_failed_connect(reply: bytes) -> None:
    async with RawServer(reply=reply) as server:
        server.answer.set()
        with pytest.raises(ConnectError):
            await PicowsDialer().dial(server.url, {})


async def test_a_server_that_closes_in_the_handshake_is_a_failed_connect() -> None:
    async with RawServer(reply=b"HTTP/1.1 101 Sw") as server:
        server.answer.set()
        dialling = asyncio.create_task(PicowsDialer().dial(server.url, {}))
        (await server.peer()).writer.close()
        with pytest.raises(ConnectError, match="in the middle of the handshake"):
            await dialling


async def test_the_key_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1)
    async with RawServer() as server:
        server.answer.set()
        conn = await PicowsDialer().dial(server.url, {"Authorization": f"Bearer {SECRET}"})
        peer = await server.peer()
        assert SECRET.encode() in peer.request
        peer.writer.transport.abort()
        await end_of(conn)
    assert SECRET not in caplog.text


# --- TLS ------------------------------------------------------------------------------------------


def tls_server(ca: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(name).configure_cert(context)
    return context


async def test_a_good_certificate_is_taken_and_large_messages_pass() -> None:
    ca, trusting = trustme.CA(), ssl.create_default_context()
    ca.configure_trust(trusting)
    async with RawServer(tls=tls_server(ca, "127.0.0.1")) as server:
        server.answer.set()
        conn = await PicowsDialer(ssl=trusting).dial(server.url, {})
        peer = await server.peer()
        sending = asyncio.create_task(conn.write_message(MessageType.TEXT, "x" * 1_000_000))
        assert (await peer.frame())[1] == b"x" * 1_000_000
        await sending
        writing = asyncio.create_task(peer.send(frame(TEXT, b"y" * 1_000_000)))
        assert await next_of(conn) == "y" * 1_000_000
        await writing
        closing = asyncio.create_task(conn.close())
        assert (await peer.frame())[0] == CLOSE
        await peer.send(close_frame(1000))
        async with asyncio.timeout(WITHIN_S):
            await closing


@pytest.mark.parametrize("fault", ["nobody's", "another host's"])
async def test_a_bad_certificate_is_refused(fault: str) -> None:
    ca, trusting = trustme.CA(), ssl.create_default_context()
    name = "127.0.0.1" if fault == "nobody's" else "elsewhere.example"
    if fault != "nobody's":
        ca.configure_trust(trusting)
    async with RawServer(tls=tls_server(ca, name)) as server:
        with pytest.raises(ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await PicowsDialer(ssl=trusting).dial(server.url, {})
    assert not server.asked.is_set()


async def test_the_usual_certificates_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[ssl.SSLContext] = []

    def usual() -> ssl.SSLContext:
        read.append(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        return read[-1]

    monkeypatch.setattr(picows.tls, "create_default_context", usual)
    monkeypatch.setattr(picows, "_contexts", [])
    async with RawServer(tls=tls_server(trustme.CA(), "127.0.0.1")) as server:
        for _ in range(2):
            with pytest.raises(ConnectError):
                await PicowsDialer().dial(server.url, {})
    assert len(read) == 1
