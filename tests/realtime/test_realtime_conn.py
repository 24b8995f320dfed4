"""A connection over a pair in memory: deadlines, cancelling, closing, iterating."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from voicebridge.realtime import (
    BETA,
    Conn,
    ConnClosed,
    ConnOptions,
    DeadlineExceeded,
    InputAudioBufferAppendEvent,
    InputAudioBufferClearedEvent,
    InputAudioBufferCommitEvent,
    MemoryTransport,
    MessageType,
    RealtimeProtocolError,
    ResponseCreateEvent,
    Session,
    SessionUpdateEvent,
    UnsupportedMessageType,
    UnsupportedParameter,
    is_permanent,
)

DEADLINE_S = 5.0
AT_ONCE_S = 0.01
CLEARED = '{"type":"input_audio_buffer.cleared","event_id":"%s"}'


class Recorder:
    """A logger that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def debug(self, message: str, /, *args: object) -> None:
        self.lines.append(message % args)

    info = warning = error = debug


def pair(**options: Any) -> tuple[Conn, MemoryTransport, Recorder]:
    ours, theirs = MemoryTransport.pair(options.pop("capacity", 16))
    logger = Recorder()
    return Conn(ours, ConnOptions(**options), logger=logger), theirs, logger


async def say(server: MemoryTransport, text: str) -> None:
    await server.write_message(MessageType.TEXT, text)


async def heard(server: MemoryTransport) -> Any:
    async with asyncio.timeout(DEADLINE_S):
        kind, data = await server.read_message()
    assert kind is MessageType.TEXT
    return json.loads(data)


async def test_events_come_in_order_after_those_already_read() -> None:
    ours, theirs = MemoryTransport.pair()
    conn = Conn(ours, already_read=[CLEARED % "a", CLEARED % "b"])
    await say(theirs, CLEARED % "c")
    events = [await conn.read_message(timeout_s=DEADLINE_S) for _ in "abc"]
    assert [event.event_id for event in events] == ["a", "b", "c"]


async def test_a_raw_message_is_the_text_as_it_came() -> None:
    conn, server, _ = pair()
    await say(server, ' {"type" : "x"} ')
    assert await conn.read_message_raw(timeout_s=DEADLINE_S) == ' {"type" : "x"} '
    await conn.send_message_raw('{"type": "y"}')
    await conn.send_message_raw(b'{"type": "z"}')
    assert [await heard(server), await heard(server)] == [{"type": "y"}, {"type": "z"}]


async def test_a_malformed_event_leaves_the_connection_usable() -> None:
    conn, server, _ = pair()
    await say(server, '{"type":"response.done"}')
    await say(server, CLEARED % "next")
    with pytest.raises(RealtimeProtocolError) as caught:
        await conn.read_message(timeout_s=DEADLINE_S)
    assert not is_permanent(caught.value)
    assert (await conn.read_message(timeout_s=DEADLINE_S)).event_id == "next"


async def test_a_binary_frame_is_refused_and_the_next_event_comes() -> None:
    conn, server, _ = pair()
    await server.write_message(MessageType.BINARY, b"{}")
    await say(server, CLEARED % "next")
    with pytest.raises(UnsupportedMessageType, match="binary"):
        await conn.read_message(timeout_s=DEADLINE_S)
    assert (await conn.read_message(timeout_s=DEADLINE_S)).event_id == "next"


async def test_a_read_that_takes_too_long_loses_nothing() -> None:
    conn, server, _ = pair()
    with pytest.raises(DeadlineExceeded) as caught:
        await conn.read_message(timeout_s=AT_ONCE_S)
    assert isinstance(caught.value, TimeoutError)
    assert not is_permanent(caught.value)
    await say(server, CLEARED % "late")
    assert (await conn.read_message(timeout_s=DEADLINE_S)).event_id == "late"


async def test_a_cancelled_read_loses_nothing() -> None:
    conn, server, _ = pair()
    for name in ("a", "b", "c"):
        reading = asyncio.create_task(conn.read_message())
        await asyncio.sleep(0)
        await say(server, CLEARED % name)
        reading.cancel()  # the message is there, the reader has not run yet
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert (await conn.read_message(timeout_s=DEADLINE_S)).event_id == name


async def test_a_send_that_the_server_does_not_take_is_permanent() -> None:
    conn, _, _ = pair(capacity=1, send_timeout_s=AT_ONCE_S)
    await conn.send_message(InputAudioBufferCommitEvent())
    with pytest.raises(DeadlineExceeded) as caught:
        await conn.send_message(InputAudioBufferCommitEvent())
    assert is_permanent(caught.value)


async def test_a_send_goes_on_when_the_server_reads_again() -> None:
    conn, server, _ = pair(capacity=1)
    await conn.send_message(InputAudioBufferCommitEvent(event_id="1"))
    sending = asyncio.create_task(conn.send_message(InputAudioBufferCommitEvent(event_id="2")))
    assert (await heard(server))["event_id"] == "1"
    assert (await heard(server))["event_id"] == "2"
    await sending


@pytest.mark.parametrize("payload", ["", "AAAA", "a+/b==", 'x","type":"response.create'])
async def test_an_append_is_the_event_that_the_model_object_would_be(payload: str) -> None:
    conn, server, _ = pair()
    await conn.append_audio(payload)
    await conn.send_message(InputAudioBufferAppendEvent(audio=payload))
    quick, full = await heard(server), await heard(server)
    assert quick == full == {"type": "input_audio_buffer.append", "audio": payload}


async def test_nothing_is_sent_of_an_event_that_the_server_would_refuse() -> None:
    conn, server, _ = pair(dialect=BETA)
    with pytest.raises(UnsupportedParameter):
        await conn.send_message(SessionUpdateEvent(session=Session(include=["x"])))
    await conn.send_message(ResponseCreateEvent(event_id="after"))
    assert await heard(server) == {"type": "response.create", "event_id": "after"}
    assert conn.dialect is BETA


async def test_closing_is_idempotent_and_ends_reads_sends_and_pings() -> None:
    conn, _, _ = pair()
    await conn.ping(timeout_s=DEADLINE_S)
    await conn.close()
    await conn.close()
    for attempt in (
        conn.read_message(),
        conn.send_message(ResponseCreateEvent()),
        conn.append_audio("AAAA"),
        conn.ping(),
    ):
        with pytest.raises(ConnClosed) as caught:
            await attempt
        assert caught.value.by_us
        assert is_permanent(caught.value)


async def test_a_read_under_way_ends_when_we_close() -> None:
    conn, _, _ = pair()
    reading = asyncio.create_task(conn.read_message())
    await asyncio.sleep(0)
    await conn.close()
    with pytest.raises(ConnClosed) as caught:
        await reading
    assert caught.value.by_us


async def test_a_close_of_the_server_tells_its_code_and_reason() -> None:
    conn, server, _ = pair()
    await say(server, CLEARED % "last")
    server.close_with(4000, "invalid_request_error.beta_api_shape_disabled")
    assert (await conn.read_message(timeout_s=DEADLINE_S)).event_id == "last"
    with pytest.raises(ConnClosed) as caught:
        await conn.read_message(timeout_s=DEADLINE_S)
    assert (caught.value.code, caught.value.by_us) == (4000, False)
    assert "beta_api_shape_disabled" in str(caught.value)
    with pytest.raises(ConnClosed):
        await conn.send_message(ResponseCreateEvent())
    with pytest.raises(ConnClosed):
        await conn.ping()


async def test_iterating_passes_over_malformed_events_and_ends_with_a_normal_close() -> None:
    conn, server, logger = pair()
    await say(server, CLEARED % "a")
    await say(server, "not JSON")
    await say(server, CLEARED % "b")
    server.close_with(1000, "bye")
    async with asyncio.timeout(DEADLINE_S):
        events = [event async for event in conn]
    assert all(isinstance(event, InputAudioBufferClearedEvent) for event in events)
    assert [event.event_id for event in events] == ["a", "b"]
    assert len(logger.lines) == 1
    assert "not JSON" in logger.lines[0]


async def test_iterating_ends_when_we_close() -> None:
    conn, server, _ = pair()
    await say(server, CLEARED % "a")
    async with conn:
        async for _ in conn:
            await conn.close()


async def test_iterating_raises_when_the_connection_is_lost() -> None:
    conn, server, _ = pair()
    server.close_with(None, "lost")
    with pytest.raises(ConnClosed, match="lost"):
        await anext(conn)


async def test_a_block_closes_its_connection() -> None:
    conn, server, _ = pair()
    async with conn as same:
        assert same is conn
        assert dict(conn.response_headers) == {}
    with pytest.raises(ConnClosed):
        await server.read_message()


class StuckTransport(MemoryTransport):
    """A transport whose close never ends."""

    async def close(self) -> None:
        await asyncio.Event().wait()


async def test_closing_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voicebridge.realtime.conn.CLOSE_TIMEOUT_S", AT_ONCE_S)
    logger = Recorder()
    await Conn(StuckTransport(), logger=logger).close()
    assert len(logger.lines) == 1
