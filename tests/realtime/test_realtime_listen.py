"""Events handed over as they come: in order, complete, and no further read than asked for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection

import pytest

from voicebridge.realtime import (
    BETA,
    Conn,
    ConnClosed,
    ConnOptions,
    InputAudioBufferClearedEvent,
    InputAudioBufferClearEvent,
    MemoryTransport,
    MessageType,
    RealtimeProtocolError,
    ResponseOutputAudioDeltaEvent,
    ServerEvent,
    Session,
    SessionUpdateEvent,
    UnknownEvent,
    UnsupportedMessageType,
    UnsupportedParameter,
)

DEADLINE_S = 5.0
Taken = list[ServerEvent | RealtimeProtocolError]
Message = tuple[MessageType, str | bytes]


class PushTransport(MemoryTransport):
    """A transport that pushes what it has, and sends at once while there is room."""

    def __init__(self) -> None:
        super().__init__()
        self.room, self.held = True, False
        self.sent: list[bytes] = []
        self.batches: list[list[Message]] = []

    async def listen(self, take: Callable[[list[Message]], None]) -> None:
        for batch in self.batches:
            take(batch)
        raise ConnClosed(1000, "done")

    def hold(self, held: bool) -> None:
        self.held = held

    def post(self, text: bytes) -> bool:
        if self.room:
            self.sent.append(text)
        return self.room


def cleared(number: int) -> str:
    return json.dumps({"type": "input_audio_buffer.cleared", "event_id": f"event_{number}"})


def ids(taken: Taken) -> list[str | None]:
    return [event.event_id for event in taken if isinstance(event, InputAudioBufferClearedEvent)]


async def taken_of(conn: Conn, only: Collection[str] | None = None) -> list[Taken]:
    """Listen to the end and return what was handed over, batch by batch."""
    batches: list[Taken] = []
    async with asyncio.timeout(DEADLINE_S):
        with pytest.raises(ConnClosed):
            await conn.listen(batches.append, only=only)
    return batches


async def test_without_a_pushing_transport_each_event_comes_in_order_until_the_end() -> None:
    ours, theirs = MemoryTransport.pair()
    conn = Conn(ours, already_read=[cleared(0), cleared(1)])
    for number in (2, 3):
        await theirs.write_message(MessageType.TEXT, cleared(number))
    await theirs.close()
    batches = await taken_of(conn)
    assert ids([event for batch in batches for event in batch]) == [f"event_{n}" for n in range(4)]


async def test_what_came_together_is_handed_over_together_behind_what_was_read_before() -> None:
    transport = PushTransport()
    transport.batches = [[(MessageType.TEXT, cleared(n)) for n in span] for span in ([1, 2], [3])]
    batches = await taken_of(Conn(transport, already_read=[cleared(0)]))
    assert [ids(batch) for batch in batches] == [["event_0"], ["event_1", "event_2"], ["event_3"]]


async def test_a_bad_event_comes_as_the_error_it_is_and_the_next_follows() -> None:
    transport = PushTransport()
    bad: list[Message] = [(MessageType.BINARY, b"\x00"), (MessageType.TEXT, "{")]
    transport.batches = [[*bad, (MessageType.TEXT, cleared(1))]]
    [[binary, broken, event]] = await taken_of(Conn(transport))
    assert isinstance(binary, UnsupportedMessageType)
    assert isinstance(broken, RealtimeProtocolError)
    assert isinstance(event, InputAudioBufferClearedEvent)


async def test_events_that_are_not_wanted_are_not_looked_into() -> None:
    malformed = '{"type":"input_audio_buffer.speech_started","audio_start_ms":"soon"}'
    delta = '{"type":"%s","response_id":"r","item_id":"i","delta":"AAAA"}'
    transport = PushTransport()
    texts = [malformed, cleared(1), delta % "response.audio.delta"]
    transport.batches = [[(MessageType.TEXT, text) for text in texts]]
    conn = Conn(transport, ConnOptions(dialect=BETA))
    [[unwanted, event, audio]] = await taken_of(conn, {"input_audio_buffer.cleared"})
    assert isinstance(unwanted, UnknownEvent)
    assert unwanted.type == "input_audio_buffer.speech_started"
    assert isinstance(event, InputAudioBufferClearedEvent)
    assert isinstance(audio, ResponseOutputAudioDeltaEvent)


async def test_a_closed_connection_hands_over_nothing_more() -> None:
    transport = PushTransport()
    transport.batches = [[(MessageType.TEXT, cleared(1))]]
    conn = Conn(transport)
    await conn.close()
    assert await taken_of(conn) == []


async def test_an_event_is_posted_at_once_or_not_at_all() -> None:
    transport = PushTransport()
    conn = Conn(transport)
    assert conn.post(InputAudioBufferClearEvent())
    assert conn.post_audio("AAAA")
    transport.room = False
    assert not conn.post(InputAudioBufferClearEvent())
    assert not conn.post_audio("AAAA")
    transport.room = True
    await conn.close()
    assert not conn.post(InputAudioBufferClearEvent())
    assert not conn.post_audio("AAAA")
    assert [json.loads(text)["type"] for text in transport.sent] == [
        "input_audio_buffer.clear",
        "input_audio_buffer.append",
    ]


async def test_what_the_server_would_refuse_is_not_posted() -> None:
    transport = PushTransport()
    conn = Conn(transport, ConnOptions(dialect=BETA))
    refused = SessionUpdateEvent(session=Session(include=["x"]))
    assert not conn.post(refused)
    with pytest.raises(UnsupportedParameter):
        await conn.send_message(refused)
    assert transport.sent == []


async def test_a_transport_that_cannot_push_posts_nothing() -> None:
    ours, _theirs = MemoryTransport.pair()
    conn = Conn(ours)
    assert not conn.post(InputAudioBufferClearEvent())
    assert not conn.post_audio("AAAA")


async def test_a_connection_on_hold_leaves_what_comes_with_the_server_and_loses_nothing() -> None:
    ours, theirs = MemoryTransport.pair()
    conn, taken, came = Conn(ours), list[Taken](), asyncio.Event()

    def take(events: Taken) -> None:
        taken.append(events)
        came.set()

    async def say(number: int) -> None:
        came.clear()
        await theirs.write_message(MessageType.TEXT, cleared(number))

    listening = asyncio.create_task(conn.listen(take))
    async with asyncio.timeout(DEADLINE_S):
        await say(1)
        await came.wait()
        conn.hold(True)
        await say(2)  # the read that was under way already
        await came.wait()
        await say(3)
        for _ in range(5):
            await asyncio.sleep(0)
        assert [ids(events) for events in taken] == [["event_1"], ["event_2"]]
        conn.hold(False)
        await came.wait()
    assert ids(taken[-1]) == ["event_3"]
    listening.cancel()
    await asyncio.wait({listening})


def test_a_hold_is_passed_on_to_a_transport_that_pushes() -> None:
    transport = PushTransport()
    conn = Conn(transport)
    conn.hold(True)
    assert transport.held
    conn.hold(False)
    assert not transport.held
