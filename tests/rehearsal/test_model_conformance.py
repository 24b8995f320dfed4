"""The vendor's client holds a whole turn with the simulated server; its models know every event."""

from __future__ import annotations

import asyncio
import base64
import copy
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from model_harness import BETA as BETA_HEADER
from model_harness import DEADLINE_S, INSTANT, STALLED, Client, ToneVoice, conversing, says, tone
from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from vendor_models import BETA, GA, complaints

from voicebridge.audio.format import silence
from voicebridge.rehearsal.realtime_server import RealtimeServer
from voicebridge.rehearsal.script import Script
from voicebridge.rehearsal.steps import AgentStep
from voicebridge.rehearsal.voice import Voice

SCRIPT = Script(
    agent=(
        AgentStep(say="Good morning, this is a greeting of some length."),
        AgentStep(say="One moment please.", call="opening_hours", arguments={"day": "saturday"}),
        AgentStep(say="We open at {output.opens}."),
        AgentStep(say="Text it is."),
    ),
    caller_lines=("Are you open on Saturday?",),
)
TURN = {
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "input_audio_buffer.cleared",
    "conversation.item.input_audio_transcription.delta",
    "conversation.item.input_audio_transcription.completed",
    "conversation.item.input_audio_transcription.failed",
    "conversation.item.truncated",
    "conversation.item.deleted",
    "conversation.item.retrieved",
    "error",
    "rate_limits.updated",
    "response.content_part.added",
    "response.content_part.done",
    "response.created",
    "response.done",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.output_item.added",
    "response.output_item.done",
    "session.created",
    "session.updated",
}
GA_TYPES = TURN | {
    "conversation.item.added",
    "conversation.item.done",
    "input_audio_buffer.timeout_triggered",
    "response.output_audio.delta",
    "response.output_audio.done",
    "response.output_audio_transcript.delta",
    "response.output_audio_transcript.done",
    "response.output_text.delta",
    "response.output_text.done",
}
BETA_TYPES = TURN | {
    "conversation.created",
    "conversation.item.created",
    "response.audio.delta",
    "response.audio.done",
    "response.audio_transcript.delta",
    "response.audio_transcript.done",
    "response.text.delta",
    "response.text.done",
}


@asynccontextmanager
async def vendor_client(
    script: Script, voice: Any, **options: Any
) -> AsyncIterator[tuple[AsyncRealtimeConnection, RealtimeServer]]:
    options = {"pace": INSTANT, "api_key": "sk-test", **options}
    async with RealtimeServer(script, voice, **options) as server:
        base = server.url.removesuffix("/realtime")
        vendor = AsyncOpenAI(websocket_base_url=base, api_key="sk-test")
        async with vendor.realtime.connect(model="gpt-realtime-2.1") as connection:
            yield connection, server


async def until(connection: AsyncRealtimeConnection, event_type: str) -> Any:
    async with asyncio.timeout(DEADLINE_S):
        while (event := await connection.recv()).type != event_type:
            pass
    return event


async def say(connection: AsyncRealtimeConnection, audio: bytes) -> None:
    for start in range(0, len(audio), 160):
        payload = base64.b64encode(audio[start : start + 160]).decode()
        await connection.input_audio_buffer.append(audio=payload)


async def test_the_vendors_client_holds_a_whole_turn_with_real_speech() -> None:
    caller, agent = Voice(variant="m3"), Voice(variant="f3")
    async with vendor_client(SCRIPT, agent) as (connection, server):
        await until(connection, "session.created")
        pcmu = {"type": "audio/pcmu"}
        audio = {
            "input": {"format": pcmu, "transcription": {"model": "gpt-transcribe"}},
            "output": {"format": pcmu, "voice": "marin"},
        }
        await connection.session.update(session={"type": "realtime", "audio": audio})  # type: ignore[typeddict-item]
        session = (await until(connection, "session.updated")).session
        assert session.audio.output.format.type == "audio/pcmu"

        await connection.response.create()
        greeting = (await until(connection, "response.done")).response.output[0]
        await connection.conversation.item.truncate(
            item_id=greeting.id, content_index=0, audio_end_ms=700
        )
        assert (await until(connection, "conversation.item.truncated")).audio_end_ms == 700

        speech = caller.speak("Are you open on Saturday?").audio
        await say(connection, silence(8 * 400) + speech + silence(8 * 800))
        said = await until(connection, "conversation.item.input_audio_transcription.completed")
        assert said.transcript == "Are you open on Saturday?"
        spoken, call = (await until(connection, "response.done")).response.output
        assert spoken.content[0].transcript == "One moment please."
        assert (call.name, json.loads(call.arguments)) == ("opening_hours", {"day": "saturday"})

        output = {"type": "function_call_output", "call_id": call.call_id, "output": "{}"}
        output["output"] = '{"opens":"9:00"}'
        await connection.conversation.item.create(item=output)  # type: ignore[arg-type]
        await connection.response.create()
        answer = (await until(connection, "response.done")).response.output[0]
        assert answer.content[0].transcript == "We open at 9:00."

        log = server.sessions[0].log
    assert [cut.accepted for cut in log.truncates] == [True]
    assert bytes(log.appended) == silence(8 * 400) + speech + silence(8 * 800)
    assert [call.output for call in log.tool_calls] == ['{"opens":"9:00"}']
    assert log.errors_sent == []


async def test_the_vendors_client_is_interrupted_in_mid_response() -> None:
    script = says("word " * 50, "Yes?")
    async with vendor_client(script, ToneVoice(), pace=STALLED) as (connection, server):
        pcmu = {"type": "audio/pcmu"}
        audio = {"input": {"format": pcmu}, "output": {"format": pcmu}}
        await connection.session.update(session={"type": "realtime", "audio": audio})  # type: ignore[typeddict-item]
        await connection.response.create()
        heard = await until(connection, "response.output_audio.delta")
        await say(connection, silence(8 * 200) + tone(600))
        cancelled = (await until(connection, "response.done")).response
        assert (cancelled.status, cancelled.status_details.reason) == ("cancelled", "turn_detected")
        await connection.conversation.item.truncate(
            item_id=heard.item_id, content_index=0, audio_end_ms=20
        )
        assert (await until(connection, "conversation.item.truncated")).audio_end_ms == 20
        await say(connection, silence(8 * 800))
        answer = await until(connection, "response.output_audio.delta")
        assert answer.item_id != heard.item_id
        log = server.sessions[0].log
    assert [made.status for made in log.responses] == ["cancelled", "in_progress"]
    assert log.errors_sent == []


async def test_the_vendors_client_works_with_its_own_default_of_24_khz_samples() -> None:
    async with vendor_client(says("Hello there."), ToneVoice()) as (connection, _):
        created = await until(connection, "session.created")
        assert created.session.audio.input.format.rate == 24_000
        await connection.response.create()
        audio = b""
        async with asyncio.timeout(DEADLINE_S):
            while (event := await connection.recv()).type != "response.done":
                if event.type == "response.output_audio.delta":
                    audio += base64.b64decode(event.delta)
        assert len(audio) == 400 * 48
        usage = event.response.usage
        assert (usage.output_token_details.audio_tokens, usage.output_tokens) == (8, 8)


async def whole_session(client: Client, beta: bool) -> None:
    """Bring the server to send every type of event it has."""
    await client.send("session.update", session=_session(beta))
    await client.until("session.updated")
    await client.send("response.create")
    greeting = (await client.until("response.done"))["response"]["output"][0]["id"]
    await client.send(
        "conversation.item.truncate", item_id=greeting, content_index=0, audio_end_ms=100
    )
    await client.send("conversation.item.retrieve", item_id=greeting)
    await client.talk()
    call = (await client.until("response.done"))["response"]["output"][1]["call_id"]
    output = {"type": "function_call_output", "call_id": call, "output": '{"opens":"9:00"}'}
    await client.send("conversation.item.create", item=output)
    await client.send("response.create")
    await client.until("response.done")
    for item in _history(beta):
        await client.send("conversation.item.create", item=item)
    modalities = "modalities" if beta else "output_modalities"
    own = {modalities: ["text"], "metadata": {"topic": "x"}, "conversation": "none"}
    await client.send("response.create", response=own)
    await client.until("response.done")
    await client.send("conversation.item.delete", item_id=greeting)
    await client.send("conversation.item.delete", item_id=greeting)
    await client.append(tone(600))
    await client.send("input_audio_buffer.clear")
    await client.until("input_audio_buffer.cleared")
    await client.talk()
    await client.until("conversation.item.input_audio_transcription.failed")
    await client.until("rate_limits.updated")
    if not beta:
        await client.append(silence(8 * 9_000), piece=8_000)
        await client.until("rate_limits.updated")


def _session(beta: bool) -> dict[str, Any]:
    tool = {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}}
    if beta:
        return {
            "input_audio_format": "g711_ulaw",
            "output_audio_format": "g711_ulaw",
            "input_audio_transcription": {"model": "whisper-1"},
            "input_audio_noise_reduction": {"type": "near_field"},
            "turn_detection": {"type": "server_vad", "threshold": 0.4},
            "modalities": ["text", "audio"],
            "tools": [tool],
            "max_response_output_tokens": 4096,
        }
    pcmu = {"type": "audio/pcmu"}
    hearing = {
        "format": pcmu,
        "transcription": {"model": "gpt-transcribe", "language": "en"},
        "noise_reduction": {"type": "near_field"},
        "turn_detection": {"type": "server_vad", "threshold": 0.4, "idle_timeout_ms": 5_000},
    }
    audio = {"input": hearing, "output": {"format": pcmu, "voice": "marin"}}
    return {"type": "realtime", "audio": audio, "tools": [tool], "max_output_tokens": 4096}


def _history(beta: bool) -> list[dict[str, Any]]:
    def message(role: str, kind: str) -> dict[str, Any]:
        return {"type": "message", "role": role, "content": [{"type": kind, "text": "Hm."}]}

    call = {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "call_before"}
    assistant = message("assistant", "text" if beta else "output_text")
    return [message("user", "input_text"), message("system", "input_text"), assistant, call]


async def test_the_vendors_models_know_every_field_of_every_ga_event() -> None:
    async with conversing(SCRIPT) as (client, _):
        await whole_session(client, beta=False)
    assert [place for event in client.seen for place in complaints(event, GA)] == []
    assert set(client.types()) == GA_TYPES


async def test_the_vendors_models_know_every_field_of_every_beta_event() -> None:
    async with conversing(SCRIPT, headers=BETA_HEADER) as (client, _):
        await whole_session(client, beta=True)
    assert [place for event in client.seen for place in complaints(event, BETA)] == []
    assert set(client.types()) == BETA_TYPES


@pytest.mark.parametrize(
    "path",
    [
        ("response.done", ()),
        ("response.done", ("response",)),
        ("response.done", ("response", "usage", "input_token_details")),
        ("response.done", ("response", "output", 0)),
        ("response.done", ("response", "audio", "output", "format")),
        ("session.updated", ("session",)),
        ("session.updated", ("session", "audio", "input", "turn_detection")),
        ("conversation.item.added", ("item",)),
        ("conversation.item.done", ("item", "content", 0)),
        ("rate_limits.updated", ("rate_limits", 0)),
        ("error", ("error",)),
    ],
    ids=str,
)
async def test_a_planted_unknown_field_does_not_get_past_the_walker(path: Any) -> None:
    event_type, keys = path
    async with conversing(SCRIPT) as (client, _):
        await whole_session(client, beta=False)
    event = copy.deepcopy(client.of(event_type)[0])
    assert complaints(event, GA) == []
    node = event
    for key in keys:
        node = node[key]
    node["planted"] = 1
    assert [place.endswith(".planted") for place in complaints(event, GA)] == [True]
