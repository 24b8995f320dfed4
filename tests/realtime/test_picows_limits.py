"""The transport on picows when one end is faster than the other: bounded, in order, complete."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from picows_ends import connected, end_of, next_of
from raw_ws_server import (
    CLOSE,
    TEXT,
    WITHIN_S,
    Peer,
    close_frame,
    frame,
)

from voicebridge.realtime import ConnClosed, MessageType
from voicebridge.realtime.transport.picows import MOST_UNREAD


async def test_a_server_that_does_not_read_makes_writers_wait_and_loses_nothing() -> None:
    async with connected() as (conn, peer):
        sent = 0
        while conn.post(b"%d " % sent + b"x" * 100_000):
            sent += 1
            assert sent < 1000, "the socket takes without end"
        assert not conn.post(b"no room")
        waiting = asyncio.create_task(conn.write_message(MessageType.TEXT, "at last"))
        await asyncio.sleep(0)
        assert not waiting.done()
        for number in range(sent):
            assert (await peer.frame())[1].split()[0] == b"%d" % number
        async with asyncio.timeout(WITHIN_S):
            await waiting
        assert await peer.frame() == (TEXT, b"at last")
        assert conn.post(b"room again")


async def test_writers_that_wait_for_room_hear_of_the_end() -> None:
    async with connected() as (conn, peer):
        while conn.post(b"x" * 100_000):
            pass
        waiting = asyncio.create_task(conn.write_message(MessageType.TEXT, "never"))
        await asyncio.sleep(0)
        peer.writer.transport.abort()
        async with asyncio.timeout(WITHIN_S):
            with pytest.raises(ConnClosed):
                await waiting


async def flood(peer: Peer, text: bytes, count: int) -> int:
    """Send until the other side takes no more for a while; return how many went out."""
    for sent in range(count):
        peer.writer.write(frame(TEXT, b"%d " % sent + text))
        try:
            async with asyncio.timeout(0.3):
                await peer.writer.drain()
        except TimeoutError:
            return sent + 1
    return count


@pytest.mark.parametrize("size", [2_000, 300_000])
async def test_what_nobody_reads_is_bounded_and_comes_in_order_when_somebody_does(
    size: int,
) -> None:
    async with connected() as (conn, peer):
        sent = await flood(peer, b"x" * size, 60_000_000 // size)
        assert sent < 60_000_000 // size
        unread = conn._unread
        assert len(unread) <= MOST_UNREAD + 70
        assert sum(len(data) for _, data in unread) < 2_500_000
        for number in range(sent):
            assert str(await next_of(conn)).split()[0] == str(number)


async def test_a_line_on_hold_is_left_in_the_socket_and_read_to_the_end_afterwards() -> None:
    async with connected() as (conn, peer):
        heard: list[str] = []
        begun, all_heard = asyncio.Event(), asyncio.Event()

        def take(messages: list[Any]) -> None:
            heard.extend(data.split()[0] for _, data in messages)
            begun.set()
            if heard[-1] == "last":
                all_heard.set()

        listening = asyncio.create_task(conn.listen(take))
        await peer.send(frame(TEXT, b"0"))
        async with asyncio.timeout(WITHIN_S):
            await begun.wait()
        conn.hold(True)
        sent = await flood(peer, b"x" * 50_000, 1000)
        assert sent < 1000
        assert len(heard) <= 3  # what had been read already
        conn.hold(False)
        await peer.send(frame(TEXT, b"last"))
        async with asyncio.timeout(WITHIN_S):
            await all_heard.wait()
        assert heard == ["0", *map(str, range(sent)), "last"]
        listening.cancel()
        await asyncio.wait({listening})


async def test_a_line_on_hold_is_still_closed_in_good_manners() -> None:
    async with connected() as (conn, peer):
        conn.hold(True)
        await flood(peer, b"x" * 50_000, 1000)
        closing = asyncio.create_task(conn.close())
        assert await peer.frame() == (CLOSE, (1000).to_bytes(2, "big"))
        await peer.send(close_frame(1000))
        async with asyncio.timeout(WITHIN_S):
            await closing
        assert (await end_of(conn)).code == 1000
