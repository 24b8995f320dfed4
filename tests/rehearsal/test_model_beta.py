from __future__ import annotations

from typing import Any

import pytest
from model_harness import BETA, STALLED, conversing, says, tone

from voicebridge.audio.format import silence
from voicebridge.rehearsal.script import Script
from voicebridge.rehearsal.steps import AgentStep

ULAW = {"input_audio_format": "g711_ulaw", "output_audio_format": "g711_ulaw"}


async def test_the_session_is_flat_and_announced_with_its_conversation() -> None:
    async with conversing(says("Hello."), headers=BETA) as (client, _):
        await client.until("conversation.created")
        session = client.seen[0]["session"]
        assert session["input_audio_format"] == session["output_audio_format"] == "pcm16"
        assert session["modalities"] == ["text", "audio"]
        assert session["turn_detection"]["type"] == "server_vad"
        assert "audio" not in session
        conversation = client.seen[1]["conversation"]
        assert conversation["object"] == "realtime.conversation"


async def test_an_update_is_read_flat_and_echoed_flat() -> None:
    update: dict[str, Any] = {
        **ULAW,
        "voice": "sage",
        "speed": 1.1,
        "instructions": "Be brief.",
        "input_audio_transcription": {"model": "whisper-1", "language": "en"},
        "input_audio_noise_reduction": {"type": "far_field"},
        "turn_detection": {"type": "server_vad", "threshold": 0.6, "silence_duration_ms": 300},
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "max_response_output_tokens": 200,
        "temperature": 0.8,
    }
    async with conversing(says("Hello."), headers=BETA) as (client, _):
        await client.send("session.update", session=update)
        echoed = (await client.until("session.updated"))["session"]
        assert echoed["turn_detection"].items() >= update["turn_detection"].items()
        assert echoed["input_audio_transcription"]["language"] == "en"
        same = ("voice", "speed", "instructions", "max_response_output_tokens", *ULAW)
        assert {key: echoed[key] for key in same} == {key: update[key] for key in same}
        assert echoed["tool_choice"]["name"] == "f"
        await client.send("session.update", session={"turn_detection": None})
        echoed = (await client.until("session.updated"))["session"]
        assert echoed["turn_detection"] is None
        assert echoed["input_audio_noise_reduction"] == {"type": "far_field"}


@pytest.mark.parametrize(
    ("update", "code", "param"),
    [
        ({"type": "realtime"}, "unknown_parameter", "session.type"),
        ({"audio": {}}, "unknown_parameter", "session.audio"),
        ({"input_audio_format": "audio/pcmu"}, "invalid_value", "session.input_audio_format"),
        ({"turn_detection": {"idle_timeout_ms": 5000}}, "unknown_parameter",
         "session.turn_detection.idle_timeout_ms"),
        ({"temperature": 2.0}, "decimal_above_max_value", "session.temperature"),
    ],
)  # fmt: skip
async def test_a_ga_session_is_refused_by_its_beta_names(
    update: dict[str, Any], code: str, param: str
) -> None:
    async with conversing(says("Hello."), headers=BETA) as (client, _):
        error = await client.error_after("session.update", session=update)
        assert (error["code"], error["param"]) == (code, param)


async def test_a_semantic_detection_passes_too() -> None:
    detection = {"type": "semantic_vad", "eagerness": "low"}
    async with conversing(says("Hello."), headers=BETA) as (client, _):
        await client.send("session.update", session={"turn_detection": detection})
        echoed = (await client.until("session.updated"))["session"]
        assert echoed["turn_detection"].items() >= detection.items()


async def test_a_spoken_turn_has_the_beta_names() -> None:
    async with conversing(says("Good day."), headers=BETA) as (client, server):
        await client.send("session.update", session=ULAW)
        await client.until("session.updated")
        client.seen.clear()
        await client.append(silence(8 * 400) + tone(600) + silence(8 * 700))
        done = (await client.until("response.done"))["response"]
        spoken = next(iter(server.sessions[0].log.items.values()))
    assert [kind for kind in client.types() if not kind.endswith(".delta")] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.created",
        "response.created",
        "response.output_item.added",
        "conversation.item.created",
        "response.content_part.added",
        "response.audio.done",
        "response.audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
    ]
    assert client.audio_of(spoken.item_id) == spoken.audio
    assert done["output"][0]["content"] == [{"type": "audio", "transcript": "Good day."}]
    assert (done["modalities"], done["output_audio_format"]) == (["text", "audio"], "g711_ulaw")


async def test_a_reply_is_interrupted_and_truncated() -> None:
    async with conversing(says("word " * 50), headers=BETA, pace=STALLED) as (client, _):
        await client.send("session.update", session=ULAW)
        await client.send("response.create")
        item_id = (await client.until("response.audio.delta"))["item_id"]
        await client.append(silence(8 * 200) + tone(100))
        done = (await client.until("response.done"))["response"]
        assert done["status_details"]["reason"] == "turn_detected"
        await client.send(
            "conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=30
        )
        assert (await client.until("conversation.item.truncated"))["audio_end_ms"] == 30


async def test_a_function_call_leaves_its_name_to_the_item() -> None:
    script = Script(agent=(AgentStep(call="f", arguments={"a": 1}),))
    async with conversing(script, headers=BETA) as (client, _):
        await client.send("response.create")
        await client.until("response.done")
        assert client.of("response.output_item.added")[0]["item"]["name"] == "f"
        assert "name" not in client.of("response.function_call_arguments.done")[0]


@pytest.mark.parametrize("key", ["max_output_tokens", "max_response_output_tokens"])
async def test_a_response_has_its_own_settings_in_beta_spelling(key: str) -> None:
    own: dict[str, Any] = {
        "modalities": ["text", "audio"],
        "voice": "echo",
        "output_audio_format": "g711_alaw",
        "temperature": 0.7,
        "instructions": "Say it.",
        key: 50,
        "input": [{"type": "message", "role": "assistant",
                   "content": [{"type": "text", "text": "Before."}]}],
    }  # fmt: skip
    async with conversing(says("Hello."), headers=BETA) as (client, _):
        await client.send("response.create", response=own)
        done = (await client.until("response.done"))["response"]
        assert (done["voice"], done["output_audio_format"]) == ("echo", "g711_alaw")
        assert done["max_output_tokens"] == 50


async def test_a_text_response_and_history_are_in_beta_parts() -> None:
    history = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "A."}]}
    async with conversing(says("Words."), headers=BETA) as (client, _):
        await client.send("conversation.item.create", item=history)
        created = await client.until("conversation.item.created")
        assert created["item"]["content"] == history["content"]
        await client.send("response.create", response={"modalities": ["text"]})
        done = (await client.until("response.done"))["response"]
        assert done["modalities"] == ["text"]
        assert done["output"][0]["content"] == [{"type": "text", "text": "Words."}]
        assert client.of("response.text.done")[0]["text"] == "Words."


async def test_ga_settings_of_a_response_are_refused() -> None:
    async with conversing(says("Hello."), headers=BETA) as (client, _):
        wish = {"output_modalities": ["text"]}
        error = await client.error_after("response.create", response=wish)
        assert (error["code"], error["param"]) == (
            "unknown_parameter",
            "response.output_modalities",
        )


async def test_history_that_is_no_list_of_parts_is_refused() -> None:
    history = {"type": "message", "role": "assistant", "content": ["A."]}
    async with conversing(says("Hello."), headers=BETA) as (client, _):
        error = await client.error_after("conversation.item.create", item=history)
        assert (error["code"], error["param"]) == ("invalid_type", "item.content[0]")
