"""Whole conversations with a server that was written from the protocol page alone."""

from __future__ import annotations

import json

import pytest
from recorded_wire_server import RecordedWireServer, recording

from voicebridge.realtime import (
    BETA,
    GA,
    AssistantMessage,
    Audio,
    AudioFormat,
    AudioInput,
    AudioOutput,
    AudioTranscription,
    Client,
    ClientConfig,
    Conn,
    ConversationCreatedEvent,
    ConversationItemAddedEvent,
    ConversationItemCreatedEvent,
    ConversationItemCreateEvent,
    ConversationItemDeletedEvent,
    ConversationItemDeleteEvent,
    ConversationItemInputAudioTranscriptionCompletedEvent,
    ConversationItemInputAudioTranscriptionDeltaEvent,
    ConversationItemTruncatedEvent,
    ConversationItemTruncateEvent,
    ErrorEvent,
    FunctionCall,
    FunctionCallOutput,
    InputAudioBufferCommitEvent,
    InputAudioBufferCommittedEvent,
    InputAudioBufferSpeechStartedEvent,
    NoiseReduction,
    ResponseCreateEvent,
    ResponseCreateParams,
    ResponseDoneEvent,
    ResponseFunctionCallArgumentsDoneEvent,
    ResponseOutputAudioDeltaEvent,
    ResponseOutputAudioTranscriptDoneEvent,
    ServerEvent,
    ServerVad,
    Session,
    SessionCreatedEvent,
    SessionUpdatedEvent,
    SessionUpdateEvent,
    TranscriptionSession,
    UnknownEvent,
    UnknownObject,
    marshal_server_event,
    output_text,
    unmarshal_server_event,
)

DEADLINE_S = 5.0


def client_of(server: RecordedWireServer, **config: object) -> Client:
    return Client(ClientConfig(auth_token="sk-test", base_url=server.url, **config))  # type: ignore[arg-type]


async def until(conn: Conn, kind: type[ServerEvent]) -> list[ServerEvent]:
    """Read up to and with the first event of a kind."""
    events: list[ServerEvent] = []
    while not events or not isinstance(events[-1], kind):
        events.append(await conn.read_message(timeout_s=DEADLINE_S))
    return events


async def test_a_spoken_turn_is_asked_for_heard_and_accounted_for() -> None:
    async with (
        RecordedWireServer(recording("spoken_turn_ga")) as server,
        client_of(server).connect(model="gpt-realtime-2.1") as conn,
    ):
        created = await conn.read_message(timeout_s=DEADLINE_S)
        assert isinstance(created, SessionCreatedEvent)
        assert isinstance(created.session, Session)
        assert created.session.input_format == AudioFormat.PCM16
        audio_in = AudioInput(
            format=AudioFormat.G711_ULAW,
            turn_detection=ServerVad(threshold=0.5),
            transcription=AudioTranscription(model="gpt-transcribe"),
        )
        session = Session(
            instructions="Be brief.",
            output_modalities=["audio"],
            audio=Audio(input=audio_in, output=AudioOutput(format="g711_ulaw", voice="marin")),
        )
        await conn.send_message(SessionUpdateEvent(event_id="c1", session=session))
        updated = await conn.read_message(timeout_s=DEADLINE_S)
        assert isinstance(updated, SessionUpdatedEvent)
        assert isinstance(updated.session, Session)
        assert updated.session.input_format == updated.session.output_format == "g711_ulaw"
        await conn.append_audio("//////////8=")
        events = await until(conn, ConversationItemInputAudioTranscriptionCompletedEvent)
        await server.played()
    assert not any(isinstance(event, UnknownEvent) for event in events)
    audio = [event.delta for event in events if isinstance(event, ResponseOutputAudioDeltaEvent)]
    assert audio == ["/////w==", "f39/fw=="]
    done = next(event for event in events if isinstance(event, ResponseDoneEvent))
    assert done.response.status == "completed"
    usage = done.response.usage
    assert usage is not None
    assert usage.input_token_details is not None
    assert usage.input_token_details.cached_tokens_details is not None
    assert usage.input_token_details.cached_tokens_details.text_tokens == 64
    last = events[-1]
    assert isinstance(last, ConversationItemInputAudioTranscriptionCompletedEvent)
    assert last.transcript == "Hi, is this the clinic?"


async def test_a_tool_is_called_answered_and_the_answer_interrupted() -> None:
    async with (
        RecordedWireServer(recording("tool_and_barge_in_ga")) as server,
        client_of(server).connect() as conn,
    ):
        await conn.send_message(ResponseCreateEvent())
        events = await until(conn, ResponseDoneEvent)
        call = next(e for e in events if isinstance(e, ResponseFunctionCallArgumentsDoneEvent))
        assert (call.name, json.loads(call.arguments)) == ("lookup", {"id": 7})
        done = events[-1]
        assert isinstance(done, ResponseDoneEvent)
        assert isinstance((done.response.output or [])[0], FunctionCall)
        output = FunctionCallOutput(
            call_id=call.call_id, output=json.dumps({"open": True}).replace(" ", "")
        )
        await conn.send_message(ConversationItemCreateEvent(item=output))
        await conn.send_message(ResponseCreateEvent())
        await until(conn, InputAudioBufferSpeechStartedEvent)
        cancelled = (await until(conn, ResponseDoneEvent))[-1]
        assert isinstance(cancelled, ResponseDoneEvent)
        assert cancelled.response.status == "cancelled"
        assert cancelled.response.status_details is not None
        assert cancelled.response.status_details.reason == "turn_detected"
        cut = ConversationItemTruncateEvent(
            item_id="item_a1", content_index=0, audio_end_ms=1500, event_id="cut_1"
        )
        await conn.send_message(cut)
        refused = await conn.read_message(timeout_s=DEADLINE_S)
        assert isinstance(refused, ErrorEvent)
        assert (refused.error.code, refused.error.event_id) == ("invalid_value", "cut_1")
        await conn.send_message(cut.model_copy(update={"audio_end_ms": 1250}))
        assert isinstance(
            await conn.read_message(timeout_s=DEADLINE_S), ConversationItemTruncatedEvent
        )
        await conn.send_message(ConversationItemDeleteEvent(item_id="item_a2"))
        assert isinstance(
            await conn.read_message(timeout_s=DEADLINE_S), ConversationItemDeletedEvent
        )
        await server.played()


async def test_the_beta_dialect_is_spoken_on_the_wire_and_ga_inside() -> None:
    async with (
        RecordedWireServer(recording("spoken_turn_beta")) as server,
        client_of(server, dialect="beta").connect() as conn,
    ):
        request = server.requests[0]
        assert request.headers["OpenAI-Beta"] == "realtime=v1"
        assert request.path == "/v1/realtime?model=gpt-4o-realtime-preview"
        created = await conn.read_message(timeout_s=DEADLINE_S)
        assert isinstance(created, SessionCreatedEvent)
        assert isinstance(created.session, Session)
        assert created.session.input_format == AudioFormat.PCM16
        assert created.session.max_output_tokens == "inf"
        assert isinstance(await conn.read_message(timeout_s=DEADLINE_S), ConversationCreatedEvent)
        session = Session(
            instructions="Be brief.",
            output_modalities=["audio"],
            temperature=0.7,
            max_output_tokens=200,
            audio=Audio(
                input=AudioInput(format="g711_ulaw", turn_detection=None),
                output=AudioOutput(format="g711_ulaw", voice="alloy"),
            ),
        )
        await conn.send_message(SessionUpdateEvent(session=session))
        updated = await conn.read_message(timeout_s=DEADLINE_S)
        assert isinstance(updated, SessionUpdatedEvent)
        assert isinstance(updated.session, Session)
        assert updated.session.output_format == AudioFormat.G711_ULAW
        history = AssistantMessage(content=[output_text("Good day.")])
        await conn.send_message(ConversationItemCreateEvent(item=history))
        item = await conn.read_message(timeout_s=DEADLINE_S)
        assert isinstance(item, ConversationItemCreatedEvent)
        assert isinstance(item.item, AssistantMessage)
        assert item.item.content[0].type == "output_text"
        params = ResponseCreateParams(
            output_modalities=["audio"],
            max_output_tokens="inf",
            audio=Audio(output=AudioOutput(format="g711_ulaw")),
        )
        await conn.send_message(ResponseCreateEvent(response=params))
        events = await until(conn, ResponseDoneEvent)
        await server.played()
    audio = [event.delta for event in events if isinstance(event, ResponseOutputAudioDeltaEvent)]
    assert audio == ["/////w=="]
    assert any(isinstance(event, ResponseOutputAudioTranscriptDoneEvent) for event in events)
    done = events[-1]
    assert isinstance(done, ResponseDoneEvent)
    said = (done.response.output or [])[0]
    assert isinstance(said, AssistantMessage)
    assert (said.content[0].type, done.response.status) == ("output_audio", "completed")


async def test_a_transcription_session_listens_and_writes() -> None:
    async with (
        RecordedWireServer(recording("transcription_ga")) as server,
        client_of(server).connect(intent="transcription") as conn,
    ):
        assert server.requests[0].path == "/v1/realtime?intent=transcription"
        created = await conn.read_message(timeout_s=DEADLINE_S)
        assert isinstance(created, SessionCreatedEvent)
        assert isinstance(created.session, TranscriptionSession)
        audio_in = AudioInput(
            format="g711_ulaw",
            transcription=AudioTranscription(model="gpt-live-transcribe", language="en"),
            noise_reduction=NoiseReduction(type="near_field"),
            turn_detection=None,
        )
        session = TranscriptionSession(
            audio=Audio(input=audio_in), include=["item.input_audio_transcription.logprobs"]
        )
        await conn.send_message(SessionUpdateEvent(session=session))
        await conn.append_audio("//////////8=")
        await conn.send_message(InputAudioBufferCommitEvent())
        await until(conn, InputAudioBufferCommittedEvent)
        delta = await conn.read_message(timeout_s=DEADLINE_S)
        assert isinstance(delta, ConversationItemInputAudioTranscriptionDeltaEvent)
        assert delta.logprobs is not None
        assert delta.logprobs[0].bytes == [71, 111, 111, 100]
        completed = await conn.read_message(timeout_s=DEADLINE_S)
        assert isinstance(completed, ConversationItemInputAudioTranscriptionCompletedEvent)
        assert completed.usage is not None
        assert completed.usage.seconds == 2
        await server.played()


async def test_a_compatible_server_s_own_events_and_keys_are_kept() -> None:
    async with (
        RecordedWireServer(recording("hybrid_server")) as server,
        client_of(server, strict=False).connect(model="grok") as conn,
    ):
        ping = await conn.read_message(timeout_s=DEADLINE_S)
        assert isinstance(ping, UnknownEvent)
        assert (ping.type, ping.event_id, ping.raw["timestamp"]) == ("ping", "e0", 1760000000)
        await until(conn, ConversationCreatedEvent)
        session = Session.model_validate(
            {"voice": "eve", "audio": {"input": {"format": "g711_ulaw"}}}
        )
        await conn.send_message(SessionUpdateEvent(session=session))
        updated = await conn.read_message(timeout_s=DEADLINE_S)
        assert isinstance(updated, SessionUpdatedEvent)
        assert (updated.session.model_extra or {})["voice"] == "eve"
        added = await conn.read_message(timeout_s=DEADLINE_S)
        assert isinstance(added, ConversationItemAddedEvent)
        assert isinstance(added.item, UnknownObject)
        assert added.item.type == "force_message"
        assert isinstance(await conn.read_message(timeout_s=DEADLINE_S), UnknownEvent)
        done = await conn.read_message(timeout_s=DEADLINE_S)
        assert isinstance(done, ResponseDoneEvent)
        item = (done.response.output or [])[0]
        assert isinstance(item, AssistantMessage)
        assert isinstance(item.content[0], UnknownObject)
        await server.played()


@pytest.mark.parametrize(
    ("name", "dialect"),
    [
        ("spoken_turn_ga", GA),
        ("tool_and_barge_in_ga", GA),
        ("transcription_ga", GA),
        ("hybrid_server", GA),
        ("spoken_turn_beta", BETA),
    ],
)
def test_every_recorded_server_message_is_read_and_written_back_the_same(
    name: str, dialect: object
) -> None:
    lines = [line[2:] for line in recording(name) if line.startswith("S ")]
    assert lines
    for line in lines:
        event = unmarshal_server_event(line, dialect)  # type: ignore[arg-type]
        assert json.loads(marshal_server_event(event, dialect)) == json.loads(line)  # type: ignore[arg-type]
