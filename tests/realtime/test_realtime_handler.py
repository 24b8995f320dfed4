"""The background reader: order, errors, and its end."""

from __future__ import annotations

import asyncio

import pytest

from voicebridge.realtime import (
    Conn,
    ConnClosed,
    ConnHandler,
    MemoryTransport,
    MessageType,
    ServerEvent,
    StdLogger,
)

DEADLINE_S = 5.0
CLEARED = '{"type":"input_audio_buffer.cleared","event_id":"%s"}'


def pair() -> tuple[Conn, MemoryTransport]:
    ours, theirs = MemoryTransport.pair()
    return Conn(ours), theirs


async def say(server: MemoryTransport, *texts: str) -> None:
    for text in texts:
        await server.write_message(MessageType.TEXT, text)


async def test_handlers_are_called_in_their_order_one_event_after_the_other() -> None:
    conn, server = pair()
    calls: list[tuple[str, str | None]] = []

    async def slow(event: ServerEvent) -> None:
        await asyncio.sleep(0)
        calls.append(("slow", event.event_id))

    handler = ConnHandler(conn, slow, lambda event: calls.append(("quick", event.event_id)))
    handler.start()
    await say(server, CLEARED % "1", CLEARED % "2")
    server.close_with(1001, "done")
    async with asyncio.timeout(DEADLINE_S):
        error = await handler.err()
    assert calls == [("slow", "1"), ("quick", "1"), ("slow", "2"), ("quick", "2")]
    assert isinstance(error, ConnClosed)
    assert error.code == 1001
    await handler.stop()


async def test_malformed_events_are_logged_and_passed_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    conn, server = pair()
    seen: list[str | None] = []
    handler = ConnHandler(conn, lambda event: seen.append(event.event_id), logger=StdLogger())
    handler.start()
    await say(server, "{", '{"type":"response.done"}', CLEARED % "1")
    server.close_with(1000, "")
    async with asyncio.timeout(DEADLINE_S):
        await handler.err()
    assert seen == ["1"]
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]


async def test_stopping_ends_the_reader_and_leaves_the_connection_open() -> None:
    conn, server = pair()
    async with ConnHandler(conn) as handler:
        pass
    assert await handler.err() is None
    await handler.stop()
    await say(server, CLEARED % "after")
    assert (await conn.read_message(timeout_s=DEADLINE_S)).event_id == "after"


async def test_a_handler_may_stop_its_own_reader() -> None:
    conn, server = pair()
    seen: list[str | None] = []

    async def once(event: ServerEvent) -> None:
        seen.append(event.event_id)
        await handler.stop()

    handler = ConnHandler(conn, once)
    handler.start()
    await say(server, CLEARED % "1", CLEARED % "2")
    async with asyncio.timeout(DEADLINE_S):
        assert await handler.err() is None
    assert seen == ["1"]


async def test_what_a_handler_raises_comes_out_at_the_end() -> None:
    conn, server = pair()

    def broken(event: ServerEvent) -> None:
        raise ValueError("mine")

    handler = ConnHandler(conn, broken)
    handler.start()
    await say(server, CLEARED % "1")
    async with asyncio.timeout(DEADLINE_S):
        with pytest.raises(ValueError, match="mine"):
            await handler.err()
    with pytest.raises(ValueError, match="mine"):
        await handler.stop()


async def test_a_handler_starts_once_and_has_no_end_before() -> None:
    conn, _ = pair()
    handler = ConnHandler(conn)
    await handler.stop()
    with pytest.raises(RuntimeError):
        await handler.err()
    handler.start()
    with pytest.raises(RuntimeError):
        handler.start()
    await handler.stop()
