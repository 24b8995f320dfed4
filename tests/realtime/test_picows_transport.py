"""The transport on picows over real sockets, against a server whose every byte is ours."""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextlib import suppress
from typing import Any

import pytest
from picows_ends import connected, end_of, next_of
from raw_ws_server import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    WITHIN_S,
    RawServer,
    close_frame,
    frame,
)

from voicebridge.realtime import ConnClosed, MessageType
from voicebridge.realtime.transport import picows, picows_frames
from voicebridge.realtime.transport.base import QuickConn
from voicebridge.realtime.transport.picows import PicowsDialer

# --- messages -------------------------------------------------------------------------------------


async def test_a_message_in_several_frames_is_one_whatever_comes_in_between() -> None:
    async with connected() as (conn, peer):
        parts = [
            frame(TEXT, "grü".encode()[:3], fin=False),
            frame(PING, b"are you there"),
            frame(CONTINUATION, b"", fin=False),
            frame(CONTINUATION, "ü".encode()[1:] + b" Gott"),
            frame(BINARY, b"\0\1", fin=False),
            frame(CONTINUATION, b"\2"),
        ]
        for part in parts:
            await peer.send(part)
        assert await next_of(conn) == "grü Gott"
        assert await conn.read_message() == (MessageType.BINARY, b"\0\1\2")
        assert await peer.frame() == (PONG, b"are you there")


async def test_a_message_is_handed_over_though_a_ping_or_a_pong_stands_behind_it() -> None:
    async with connected() as (conn, peer):
        heard: asyncio.Queue[str | bytes] = asyncio.Queue()
        assert isinstance(conn, QuickConn)

        def take(messages: list[Any]) -> None:
            for _, data in messages:
                heard.put_nowait(data)

        listening = asyncio.create_task(conn.listen(take))
        for behind in (frame(PING, b"p"), frame(PONG, b"")):
            await peer.send(frame(TEXT, b"said") + behind)
            async with asyncio.timeout(WITHIN_S):
                assert await heard.get() == "said"
        listening.cancel()
        await asyncio.wait({listening})


async def test_messages_that_come_together_are_handed_over_together() -> None:
    async with connected() as (conn, peer):
        handed: asyncio.Queue[list[Any]] = asyncio.Queue()
        listening = asyncio.create_task(conn.listen(handed.put_nowait))
        await peer.send(frame(TEXT, b"a") + frame(TEXT, b"b") + frame(BINARY, b"c"))
        async with asyncio.timeout(WITHIN_S):
            assert [data for _, data in await handed.get()] == ["a", "b", b"c"]
        await peer.send(close_frame(1000))
        async with asyncio.timeout(WITHIN_S):
            with pytest.raises(ConnClosed):
                await listening


@pytest.mark.parametrize("size", [125, 126, 65_535, 65_536, 3_000_000])
async def test_messages_of_every_length_pass_both_ways(size: int) -> None:
    async with connected() as (conn, peer):
        sending = asyncio.create_task(conn.write_message(MessageType.BINARY, b"x" * size))
        assert await peer.frame() == (BINARY, b"x" * size)
        await sending
        writing = asyncio.create_task(peer.send(frame(TEXT, b"y" * size)))
        assert await next_of(conn) == "y" * size
        await writing


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ([frame(TEXT, b"\xc3(")], 1007),
        ([frame(TEXT, b"\xc3", fin=False), frame(CONTINUATION, b"(")], 1007),
        ([frame(TEXT, b"a", fin=False), frame(TEXT, b"b")], 1002),
        ([frame(CONTINUATION, b"of nothing")], 1002),
        ([frame(0x3, b"an opcode of nobody")], 1002),
        ([frame(PING, b"in parts", fin=False)], 1002),
        ([bytes((0x81, 0x81, 1, 2, 3, 4, 5))], 1002),  # masked
        ([frame(TEXT, b"x" * 1001)], 1009),
        ([frame(TEXT, b"x" * 800, fin=False), frame(CONTINUATION, b"x" * 800)], 1009),
    ],
    ids=["text", "text in parts", "mixed", "continuation", "opcode", "control", "masked", "frame",
         "parts"],
)  # fmt: skip
async def test_a_server_that_breaks_the_protocol_is_told_why_and_left(
    sent: list[bytes], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (picows, picows_frames):
        monkeypatch.setattr(module, "LARGEST_MESSAGE_BYTES", 1000)
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, about: complaints.append(about))
    async with connected() as (conn, peer):
        await peer.send(b"".join(sent) + frame(TEXT, b"too late"))
        kind, said = await peer.frame()
        assert (kind, int.from_bytes(said[:2], "big")) == (CLOSE, code)
        assert await peer.ended() == b""
        error = await end_of(conn)
        assert (error.code, error.by_us) == (code, False)
        del conn
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []


# --- pings ----------------------------------------------------------------------------------------


async def test_pings_are_answered_and_ours_are_while_nobody_reads() -> None:
    async with connected() as (conn, peer):
        await peer.send(frame(PING, b"1"))
        assert await peer.frame() == (PONG, b"1")
        pinging = asyncio.create_task(conn.ping())
        kind, payload = await peer.frame()
        assert kind == PING
        await peer.send(frame(PONG, b"another's") + frame(PONG, payload))
        async with asyncio.timeout(WITHIN_S):
            await pinging


async def test_a_ping_of_ours_is_not_taken_for_the_keepalives() -> None:
    async with connected(ping_after_s=0.05) as (conn, peer):
        assert await peer.frame() == (PING, b"")
        pinging = asyncio.create_task(conn.ping())
        kind, payload = await peer.frame()
        assert (kind, payload) != (PING, b"")
        await peer.send(frame(PONG, payload) + frame(PONG, b""))
        async with asyncio.timeout(WITHIN_S):
            await pinging
        assert await peer.frame() == (PING, b"")  # it lives on


async def test_a_server_that_answers_no_ping_is_lost_and_that_is_no_normal_end() -> None:
    async with connected(ping_after_s=0.05) as (conn, _peer):
        error = await end_of(conn)
        assert (error.code, error.by_us) == (1011, False)


class PingNotes:
    """What a connection asks of its transport about pings."""

    def __init__(self) -> None:
        self.pings = self.pongs = 0

    def send_ping(self) -> None:
        self.pings += 1

    def notify_user_specific_pong_received(self) -> None:
        self.pongs += 1


async def test_a_server_is_not_asked_for_pongs_that_we_could_not_hear() -> None:
    async with connected() as (conn, _peer):
        notes: Any = PingNotes()
        for held, pings, pongs in ((False, 1, 0), (True, 1, 1), (False, 2, 1)):
            conn.hold(held)
            conn.send_user_specific_ping(notes)
            await asyncio.sleep(0)
            assert (notes.pings, notes.pongs) == (pings, pongs)


# --- the end --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "reason", "told", "answered"),
    [
        (1000, "", 1000, 1000),
        (1001, "moving", 1001, 1001),
        (1011, "oh", 1011, 1011),
        (4000, "session_expired", 4000, 4000),
        (None, "", 1005, 1000),
    ],
)
async def test_a_close_of_the_server_is_told_and_answered(
    code: int | None, reason: str, told: int, answered: int
) -> None:
    async with connected() as (conn, peer):
        await peer.send(frame(TEXT, b"last words") + close_frame(code, reason))
        kind, said = await peer.frame()
        assert (kind, int.from_bytes(said, "big")) == (CLOSE, answered)
        assert await peer.ended() == b""
        assert await next_of(conn) == "last words"
        error = await end_of(conn)
        assert (error.code, error.reason, error.by_us) == (told, reason, False)
        assert not conn.post(b"{}")
        with pytest.raises(ConnClosed):
            await conn.write_message(MessageType.TEXT, "{}")
        with pytest.raises(ConnClosed):
            await conn.ping()
        await conn.close()


async def test_a_broken_line_ends_reads_and_pings_without_a_code() -> None:
    async with connected() as (conn, peer):
        pinging = asyncio.create_task(conn.ping())
        assert (await peer.frame())[0] == PING
        peer.writer.transport.abort()
        assert (await end_of(conn)).code is None
        with pytest.raises(ConnClosed):
            await pinging


async def test_our_close_is_said_once_and_waits_for_the_answer() -> None:
    async with connected() as (conn, peer):
        closing = [asyncio.create_task(conn.close()) for _ in range(2)]
        assert await peer.frame() == (CLOSE, (1000).to_bytes(2, "big"))
        await peer.send(frame(TEXT, b"meanwhile") + close_frame(1000))
        async with asyncio.timeout(WITHIN_S):
            await asyncio.gather(*closing)
        assert await peer.ended() == b""
        error = await end_of(conn)
        assert (error.code, error.by_us) == (1000, True)


async def test_a_server_that_never_answers_our_close_is_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(picows, "CLOSE_TIMEOUT_S", 0.05)
    async with connected() as (conn, peer):
        async with asyncio.timeout(WITHIN_S):
            await conn.close()
        assert (await peer.frame())[0] == CLOSE
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await peer.frame()


async def test_a_close_that_is_cancelled_leaves_no_connection() -> None:
    async with connected() as (conn, peer):
        closing = asyncio.create_task(conn.close())
        assert (await peer.frame())[0] == CLOSE
        closing.cancel()
        await asyncio.wait({closing})
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await peer.frame()


async def test_a_connection_that_is_over_is_gone_without_the_collectors_help() -> None:
    async with RawServer() as server:
        server.answer.set()
        conn = await PicowsDialer().dial(server.url, {})
        gone, peer = weakref.ref(conn), await server.peer()
        await peer.send(close_frame(1000))
        with suppress(ConnClosed):
            await next_of(conn)
        assert conn.response_headers["Upgrade"] == "websocket"
        gc.disable()
        try:
            del conn
            await asyncio.sleep(0)
            assert gone() is None
        finally:
            gc.enable()
