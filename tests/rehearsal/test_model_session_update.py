from __future__ import annotations

from typing import Any

import pytest
from model_harness import conversing, pcmu_session, says

VAD = {"type": "server_vad"}


def session(**fields: Any) -> dict[str, Any]:
    return {"type": "realtime", **fields}


def hearing(**fields: Any) -> dict[str, Any]:
    return session(audio={"input": fields})


def speaking(**fields: Any) -> dict[str, Any]:
    return session(audio={"output": fields})


@pytest.mark.parametrize(
    ("update", "code", "param"),
    [
        ({}, "missing_required_parameter", "session.type"),
        ({"type": "transcription"}, "invalid_value", "session.type"),
        (session(modalities=["audio"]), "unknown_parameter", "session.modalities"),
        (session(temperature=0.8), "unknown_parameter", "session.temperature"),
        (session(voice="marin"), "unknown_parameter", "session.voice"),
        (session(output_modalities=["text", "audio"]), "array_above_max_length",
         "session.output_modalities"),
        (session(output_modalities=["smell"]), "invalid_value", "session.output_modalities[0]"),
        (session(instructions=5), "invalid_type", "session.instructions"),
        (session(model="gpt-realtime-mini"), "invalid_value", "session.model"),
        (session(max_output_tokens=0), "integer_below_min_value", "session.max_output_tokens"),
        (session(tools=[{"type": "function"}]), "missing_required_parameter",
         "session.tools[0].name"),
        (session(tools=[{"name": "f"}]), "missing_required_parameter", "session.tools[0].type"),
        (session(tools=[{"type": "function", "function": {}, "name": "f"}]), "unknown_parameter",
         "session.tools[0].function"),
        (
            session(tools=[{"type": "function", "name": "two words"}]),
            "invalid_value",
            "session.tools[0].name",
        ),
        (hearing(format="g711_ulaw"), "invalid_type", "session.audio.input.format"),
        (hearing(format={"type": "audio/mp3"}), "invalid_value",
         "session.audio.input.format.type"),
        (hearing(format={"type": "audio/pcmu", "rate": 8000}), "unknown_parameter",
         "session.audio.input.format.rate"),
        (hearing(format={"type": "audio/pcm", "rate": 8000}), "integer_below_min_value",
         "session.audio.input.format.rate"),
        (hearing(turn_detection={"threshold": 0.5}), "missing_required_parameter",
         "session.audio.input.turn_detection.type"),
        (hearing(turn_detection={**VAD, "threshold": 1.5}), "decimal_above_max_value",
         "session.audio.input.turn_detection.threshold"),
        (hearing(turn_detection={**VAD, "eagerness": "low"}), "unknown_parameter",
         "session.audio.input.turn_detection.eagerness"),
        (hearing(turn_detection={"type": "none"}), "invalid_value",
         "session.audio.input.turn_detection.type"),
        (speaking(speed=2.0), "decimal_above_max_value", "session.audio.output.speed"),
        (speaking(voice=None), "invalid_type", "session.audio.output.voice"),
    ],
)  # fmt: skip
async def test_a_wrong_update_is_refused_whole_with_its_path(
    update: dict[str, Any], code: str, param: str
) -> None:
    async with conversing(says("Hello.")) as (client, _):
        before = client.seen[0]["session"]
        good = {"audio": {"input": {}}, "instructions": "Changed."}
        error = await client.error_after("session.update", session={**good, **update})
        assert error["type"] == "invalid_request_error"
        assert (error["code"], error["param"]) == (code, param)
        await client.send("session.update", session={"type": "realtime"})
        assert (await client.until("session.updated"))["session"] == before


async def test_an_update_changes_what_it_names_and_echoes_everything() -> None:
    async with conversing(says("Hello.")) as (client, _):
        before = client.seen[0]["session"]
        await client.send("session.update", session=speaking(voice="cedar"))
        after = (await client.until("session.updated"))["session"]
        assert after["audio"]["output"] == {**before["audio"]["output"], "voice": "cedar"}
        assert after["audio"]["input"] == before["audio"]["input"]
        await client.send("session.update", session=hearing(format={"type": "audio/pcmu"}))
        later = (await client.until("session.updated"))["session"]
        assert later["audio"]["output"] == after["audio"]["output"]
        assert later["audio"]["input"]["turn_detection"]["type"] == "server_vad"
        assert later["audio"]["input"]["format"] == {"type": "audio/pcmu"}


async def test_an_explicit_null_clears_and_an_absent_key_does_not() -> None:
    full = {
        "transcription": {"model": "gpt-transcribe"},
        "noise_reduction": {"type": "near_field"},
        "turn_detection": {**VAD, "threshold": 0.7},
    }
    async with conversing(says("Hello.")) as (client, _):
        echoed = (await client.configure(**full))["session"]["audio"]["input"]
        assert echoed["transcription"]["model"] == "gpt-transcribe"
        assert echoed["noise_reduction"]["type"] == "near_field"
        assert echoed["turn_detection"]["threshold"] == 0.7
        kept = (await client.configure())["session"]["audio"]["input"]
        assert kept == echoed
        cleared = (await client.configure(**dict.fromkeys(full)))["session"]["audio"]["input"]
        assert [cleared[key] for key in full] == [None, None, None]


async def test_semantic_detection_and_custom_voices_are_accepted() -> None:
    async with conversing(says("Hello.")) as (client, _):
        semantic = {"type": "semantic_vad", "eagerness": "high"}
        echoed = await client.configure(turn_detection=semantic)
        detection = echoed["session"]["audio"]["input"]["turn_detection"]
        assert detection == {**semantic, "create_response": True, "interrupt_response": True}
        await client.send("session.update", session=speaking(voice={"id": "voice_1"}))
        await client.until("session.updated")
        await client.send("response.create")
        response = (await client.until("response.done"))["response"]
        assert response["audio"]["output"]["voice"] == {"id": "voice_1"}


async def test_the_voice_is_frozen_once_it_was_heard() -> None:
    async with conversing(says("Hello.")) as (client, _):
        await client.send("session.update", session=speaking(voice="cedar"))
        await client.send("response.create")
        await client.until("response.done")
        error = await client.error_after("session.update", session=speaking(voice="marin"))
        assert error["code"] == "cannot_update_voice"
        await client.send("session.update", session=speaking(voice="cedar", speed=1.2))
        echoed = await client.until("session.updated")
        assert echoed["session"]["audio"]["output"]["voice"] == "cedar"


async def test_tools_and_tool_choice_are_echoed() -> None:
    tool = {"type": "function", "name": "f", "description": None, "parameters": {"type": "object"}}
    mcp = {"type": "mcp", "server_label": "docs", "server_url": "https://example.test/sse"}
    choice = {"type": "function", "name": "f"}
    async with conversing(says("Hello.")) as (client, _):
        update = session(tools=[tool, mcp], tool_choice=choice, max_output_tokens=100)
        await client.send("session.update", session=update)
        echoed = (await client.until("session.updated"))["session"]
    assert echoed["tools"] == [tool, mcp]
    assert echoed["tool_choice"] == {**choice, "server_label": None}
    assert echoed["max_output_tokens"] == 100


async def test_a_session_that_is_no_object_is_refused() -> None:
    async with conversing(says("Hello.")) as (client, _):
        assert (await client.error_after("session.update"))["param"] == "session"
        error = await client.error_after("session.update", session=[pcmu_session()])
        assert (error["code"], error["param"]) == ("invalid_type", "session")
