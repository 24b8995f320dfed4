"""Our client against the rehearsal's own server, which knows nothing of it."""

from __future__ import annotations

import asyncio
import base64
import json
import math
from typing import Any

import pytest

from voicebridge.audio import g711
from voicebridge.realtime import (
    Audio,
    AudioFormat,
    AudioInput,
    AudioOutput,
    Client,
    ClientConfig,
    Conn,
    ConnectError,
    ConversationItemCreateEvent,
    ConversationItemTruncatedEvent,
    ConversationItemTruncateEvent,
    ErrorEvent,
    FunctionCallOutput,
    FunctionTool,
    InputAudioBufferSpeechStartedEvent,
    ResponseCreateEvent,
    ResponseDoneEvent,
    ResponseFunctionCallArgumentsDoneEvent,
    ResponseOutputAudioDeltaEvent,
    ServerEvent,
    ServerVad,
    Session,
    SessionUpdatedEvent,
    SessionUpdateEvent,
    UnknownEvent,
    UserMessage,
    input_text,
)
from voicebridge.rehearsal.faults import Faults
from voicebridge.rehearsal.realtime_server import RealtimeServer
from voicebridge.rehearsal.script import Script
from voicebridge.rehearsal.steps import AgentStep
from voicebridge.rehearsal.voice import Speech, Word

DEADLINE_S = 10.0
INSTANT = float("inf")
SLOW = 0.001
WORD_MS = 200
SCRIPT = Script(
    agent=(
        AgentStep(say="Good morning."),
        AgentStep(call="opening_hours", arguments={"day": "saturday"}),
        AgentStep(say="We are open until five on that day and on every other day too."),
        AgentStep(say="Goodbye."),
    ),
    caller_lines=("Wait.",),
)
KEY = "sk-rehearsal"


def tone(duration_ms: int) -> bytes:
    samples = (int(8_000 * math.sin(math.tau * 440 * n / 8_000)) for n in range(duration_ms * 8))
    return g711.encode(b"".join(s.to_bytes(2, "little", signed=True) for s in samples))


class ToneVoice:
    """A voice without an engine."""

    def speak(self, text: str) -> Speech:
        words = tuple(
            Word(word, n * WORD_MS, (n + 1) * WORD_MS) for n, word in enumerate(text.split())
        )
        return Speech(text, tone(WORD_MS) * len(words), words)


def server_of(**options: Any) -> RealtimeServer:
    voice: Any = ToneVoice()
    return RealtimeServer(SCRIPT, voice, api_key=KEY, **options)


def client_of(server: RealtimeServer, dialect: Any, key: str = KEY) -> Client:
    return Client(ClientConfig(auth_token=key, base_url=server.url, dialect=dialect))


async def until(conn: Conn, kind: type[ServerEvent]) -> list[ServerEvent]:
    events: list[ServerEvent] = []
    while not events or not isinstance(events[-1], kind):
        events.append(await conn.read_message(timeout_s=DEADLINE_S))
        assert not isinstance(events[-1], UnknownEvent | ErrorEvent), events[-1]
    return events


async def configured(conn: Conn) -> None:
    session = Session(
        instructions="You are at the desk of a clinic.",
        output_modalities=["audio"],
        audio=Audio(
            input=AudioInput(format=AudioFormat.G711_ULAW, turn_detection=ServerVad()),
            output=AudioOutput(format=AudioFormat.G711_ULAW, voice="alloy"),
        ),
        tools=[FunctionTool(name="opening_hours", parameters={"type": "object"})],
        tool_choice="auto",
    )
    await conn.send_message(SessionUpdateEvent(session=session))
    updated = (await until(conn, SessionUpdatedEvent))[-1]
    assert isinstance(updated, SessionUpdatedEvent)
    assert isinstance(updated.session, Session)
    assert updated.session.input_format == updated.session.output_format == "g711_ulaw"


@pytest.mark.parametrize("dialect", ["ga", "beta"])
async def test_a_conversation_with_a_tool_call_and_an_interruption(dialect: str) -> None:
    async with (
        asyncio.timeout(2 * DEADLINE_S),
        server_of(pace=INSTANT) as server,
        client_of(server, dialect).connect(model="gpt-realtime") as conn,
    ):
        await configured(conn)
        await conn.send_message(ResponseCreateEvent())
        heard = b"".join(
            base64.b64decode(event.delta)
            for event in await until(conn, ResponseDoneEvent)
            if isinstance(event, ResponseOutputAudioDeltaEvent)
        )
        assert heard == tone(WORD_MS) * 2

        question = UserMessage(content=[input_text("Are you open on Saturday?")])
        await conn.send_message(ConversationItemCreateEvent(item=question))
        await conn.send_message(ResponseCreateEvent())
        asked = await until(conn, ResponseDoneEvent)
        call = next(e for e in asked if isinstance(e, ResponseFunctionCallArgumentsDoneEvent))
        assert json.loads(call.arguments) == {"day": "saturday"}

        output = FunctionCallOutput(call_id=call.call_id, output='{"until":"17:00"}')
        await conn.send_message(ConversationItemCreateEvent(item=output))
        await conn.send_message(ResponseCreateEvent())
        answer = await until(conn, ResponseDoneEvent)
        audio = [e for e in answer if isinstance(e, ResponseOutputAudioDeltaEvent)]

        loud = tone(600)
        for start in range(0, len(loud), 160):
            await conn.append_audio(base64.b64encode(loud[start : start + 160]).decode())
        await until(conn, InputAudioBufferSpeechStartedEvent)
        cut = ConversationItemTruncateEvent(
            item_id=audio[0].item_id, content_index=0, audio_end_ms=500
        )
        await conn.send_message(cut)
        truncated = (await until(conn, ConversationItemTruncatedEvent))[-1]
        assert isinstance(truncated, ConversationItemTruncatedEvent)
        assert truncated.audio_end_ms == 500
    log = server.sessions[0].log
    assert [(cut.audio_end_ms, cut.accepted) for cut in log.truncates] == [(500, True)]
    assert log.errors_sent == []


async def test_a_response_under_way_is_cancelled_by_the_caller_s_voice() -> None:
    async with (
        asyncio.timeout(2 * DEADLINE_S),
        server_of(pace=SLOW) as server,
        client_of(server, "ga").connect(model="gpt-realtime") as conn,
    ):
        await configured(conn)
        await conn.send_message(ResponseCreateEvent())
        await until(conn, ResponseOutputAudioDeltaEvent)
        await conn.append_audio(base64.b64encode(tone(600)).decode())
        done = (await until(conn, ResponseDoneEvent))[-1]
    assert isinstance(done, ResponseDoneEvent)
    assert done.response.status == "cancelled"
    assert done.response.status_details is not None
    assert done.response.status_details.reason == "turn_detected"


async def test_a_wrong_key_and_a_busy_server_are_told_apart() -> None:
    async with server_of() as server:
        with pytest.raises(ConnectError, match="check the key") as wrong:
            await client_of(server, "ga", "sk-wrong").connect(model="gpt-realtime")
    assert wrong.value.status == 401
    async with server_of(faults=Faults(refuse_status=429, retry_after_s=4)) as server:
        with pytest.raises(ConnectError, match="try again later") as busy:
            await client_of(server, "ga").connect(model="gpt-realtime")
    assert (busy.value.status, busy.value.retry_after_s) == (429, 4.0)
