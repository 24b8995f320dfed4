"""A connection of the picows transport and the server's end of it, for its tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from raw_ws_server import WITHIN_S, Peer, RawServer

from voicebridge.realtime import ConnClosed
from voicebridge.realtime.transport.picows import PicowsConn, PicowsDialer


@asynccontextmanager
async def connected(**options: Any) -> AsyncIterator[tuple[PicowsConn, Peer]]:
    """Open a connection; neither end need close it."""
    async with RawServer() as server:
        server.answer.set()
        conn = await PicowsDialer(**options).dial(server.url, {})
        peer = await server.peer()
        try:
            yield conn, peer
        finally:
            peer.writer.transport.abort()
            with suppress(ConnClosed):
                while True:
                    await next_of(conn)


async def next_of(conn: PicowsConn) -> str | bytes:
    async with asyncio.timeout(WITHIN_S):
        return (await conn.read_message())[1]


async def end_of(conn: PicowsConn) -> ConnClosed:
    with pytest.raises(ConnClosed) as caught:
        await next_of(conn)
    return caught.value
