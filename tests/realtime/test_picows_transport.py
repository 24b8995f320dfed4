"""The transport on picows over real sockets, against a server whose every byte is ours."""

from __future__ import annotations

import asyncio
import gc
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import trustme
from raw_ws_server import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    WITHIN_S,
    Peer,
    RawServer,
    close_frame,
    frame,
)

from voicebridge.realtime import ConnClosed, ConnectError, MessageType
from voicebridge.realtime.transport import picows, picows_frames
from voicebridge.realtime.transport.base import QuickConn
from voicebridge.realtime.transport.picows import MOST_UNREAD, PicowsConn, PicowsDialer

SECRET = "sk-do-not-tell"


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


# --- too much at once -----------------------------------------------------------------------------


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


# --- the handshake --------------------------------------------------------------------------------


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
