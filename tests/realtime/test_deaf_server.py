"""A server that does not read, with each transport: writers wait, and a close leaves nothing."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from raw_ws_server import WITHIN_S, Peer, RawServer

from voicebridge.realtime import (
    MessageType,
    WebSocketConn,
    WebSocketDialer,
    WebsocketsDialer,
    WebsocketsOptions,
)
from voicebridge.realtime.transport import aiohttp, picows
from voicebridge.realtime.transport.aiohttp import AiohttpDialer
from voicebridge.realtime.transport.picows import PicowsDialer

SOON_S = 0.1


@pytest.fixture(params=["picows", "aiohttp", "websockets"])
def dialer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> WebSocketDialer:
    monkeypatch.setattr(picows, "CLOSE_TIMEOUT_S", SOON_S)
    monkeypatch.setattr(aiohttp, "CLOSE_TIMEOUT_S", SOON_S)
    known: dict[str, Any] = {
        "picows": PicowsDialer(),
        "aiohttp": AiohttpDialer(),
        "websockets": WebsocketsDialer(WebsocketsOptions(close_timeout_s=SOON_S)),
    }
    dialer: WebSocketDialer = known[request.param]
    return dialer


async def write_while_there_is_room(conn: WebSocketConn) -> int:
    """Write until a message has to wait; return how many bytes went out before."""
    written = 0
    with suppress(TimeoutError):
        while written < 50_000_000:
            async with asyncio.timeout(0.3):
                await conn.write_message(MessageType.TEXT, "x" * 50_000)
            written += 50_000
    return written


async def read_to_the_end(peer: Peer) -> None:
    """Read frames until the connection breaks off."""
    with suppress(ConnectionResetError, asyncio.IncompleteReadError):
        while True:
            await peer.frame()


async def test_little_is_under_way_to_a_server_that_does_not_read_and_a_close_leaves_nothing(
    dialer: WebSocketDialer,
) -> None:
    async with RawServer() as server:
        server.answer.set()
        conn = await dialer.dial(server.url, {})
        peer = await server.peer()
        assert await write_while_there_is_room(conn) < 1_000_000
        async with asyncio.timeout(WITHIN_S):
            await conn.close()
            await read_to_the_end(peer)


async def test_a_close_that_is_cancelled_leaves_nothing_either(dialer: WebSocketDialer) -> None:
    async with RawServer() as server:
        server.answer.set()
        conn = await dialer.dial(server.url, {})
        peer = await server.peer()
        await write_while_there_is_room(conn)
        closing = asyncio.create_task(conn.close())
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.wait({closing})
        async with asyncio.timeout(WITHIN_S):
            await read_to_the_end(peer)
