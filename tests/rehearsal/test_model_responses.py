from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from model_harness import INSTANT, STALLED, Client, ToneVoice, conversing, says

from voicebridge.rehearsal.codecs import Codec
from voicebridge.rehearsal.faults import Faults
from voicebridge.rehearsal.responder import MOST_AT_ONCE
from voicebridge.rehearsal.script import Script
from voicebridge.rehearsal.session_log import ServerNote
from voicebridge.rehearsal.steps import AgentStep
from voicebridge.rehearsal.voice import Speech


def kinds(client: Client) -> list[str]:
    return [kind for kind in client.types() if not kind.endswith(".delta")]


async def answered(client: Client, **response: Any) -> dict[str, Any]:
    await client.send("response.create", **({"response": response} if response else {}))
    done: dict[str, Any] = (await client.until("response.done"))["response"]
    return done


async def test_a_response_brings_added_parts_deltas_and_dones_in_order() -> None:
    async with conversing(says("Good morning to you all.")) as (client, _):
        client.seen.clear()
        await answered(client)
        await client.until("rate_limits.updated")
    assert kinds(client) == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    deltas = [kind for kind in client.types() if kind.endswith(".delta")]
    assert deltas[0] == "response.output_audio_transcript.delta"
    first = client.types().index(deltas[0])
    assert client.types()[first - 1] == "response.content_part.added"
    created, done = client.of("response.created")[0], client.of("response.done")[0]
    assert created["response"]["status"] == "in_progress"
    assert created["response"]["usage"] is None
    assert done["response"]["status_details"] is None
    item = client.of("response.output_item.added")[0]["item"]
    assert (item["status"], item["content"]) == ("in_progress", [])
    assert client.of("response.content_part.added")[0]["part"] == {
        "type": "audio",
        "transcript": "",
    }
    assert done["response"]["output"][0]["content"] == [
        {"type": "output_audio", "transcript": "Good morning to you all."}
    ]


async def test_every_event_has_an_id_of_its_own() -> None:
    async with conversing(says("Hello.")) as (client, _):
        await answered(client)
    ids = [event["event_id"] for event in client.seen]
    assert len(set(ids)) == len(ids)


async def test_the_audio_comes_whole_in_deltas_of_no_regular_size() -> None:
    async with conversing(says("word " * 40)) as (client, server):
        await client.configure()
        done = await answered(client)
        spoken = server.sessions[0].log.items[done["output"][0]["id"]]
    assert client.audio_of(spoken.item_id) == spoken.audio == ToneVoice().speak("word " * 40).audio
    assert spoken.sent_bytes == len(spoken.audio)
    sizes = [len(event["delta"]) for event in client.of("response.output_audio.delta")]
    assert len(set(sizes)) > len(sizes) // 2
    assert any(size % 216 for size in sizes)


async def test_words_run_ahead_of_their_audio_but_not_far() -> None:
    async with conversing(says("a b c d e f g h i j k l m n o p")) as (client, _):
        await client.configure()
        await answered(client)
    words = audio_ms = 0
    for event in client.seen:
        if event["type"] == "response.output_audio_transcript.delta":
            words += 1
        elif event["type"] == "response.output_audio.delta":
            audio_ms += len(event["delta"]) * 3 // 4 // 8
            assert words >= min(16, audio_ms // 200)
            assert (words - 1) * 200 <= audio_ms + 200
    text = "".join(e["delta"] for e in client.of("response.output_audio_transcript.delta"))
    assert text == client.of("response.output_audio_transcript.done")[0]["transcript"]


async def test_speech_is_sent_no_faster_than_its_pace() -> None:
    async with conversing(says("word " * 10), pace=20.0) as (client, server):
        await client.configure()
        await answered(client)
        spoken = next(iter(server.sessions[0].log.items.values()))
        made = server.sessions[0].log.responses[0]
    assert spoken.first_delta_at is not None
    assert made.done_at is not None
    last_delta_bytes = 4_000
    earliest_s = (len(spoken.audio) - last_delta_bytes) / 8_000 / 20
    assert made.done_at - spoken.first_delta_at >= earliest_s * 0.99
    assert made.first_audio_at == spoken.first_delta_at


async def test_a_second_response_is_refused_while_one_is_active() -> None:
    async with conversing(says("word " * 50, "Then this."), pace=STALLED) as (client, _):
        await client.send("response.create")
        created = await client.until("response.output_audio.delta")
        error = await client.error_after("response.create")
        assert error["code"] == "conversation_already_has_active_response"
        assert created["response_id"] in error["message"]


async def test_a_cancelled_response_is_closed_as_incomplete_and_the_next_may_start() -> None:
    async with conversing(says("word " * 50, "Then this."), pace=STALLED) as (client, _):
        await client.send("response.create")
        response_id = (await client.until("response.output_audio.delta"))["response_id"]
        client.seen.clear()
        await client.send("response.cancel", response_id=response_id)
        await client.send("response.create")
        done = (await client.until("response.done"))["response"]
        assert kinds(client) == [
            "response.output_audio.done",
            "response.output_audio_transcript.done",
            "response.content_part.done",
            "conversation.item.done",
            "response.output_item.done",
            "response.done",
        ]
        assert done["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
        assert done["output"][0]["status"] == "incomplete"
        assert done["usage"]["output_token_details"]["audio_tokens"] > 0
        await client.until("response.output_audio.delta")
        assert client.of("response.created")[0]["response"]["id"] != response_id


@pytest.mark.parametrize("fields", [{}, {"response_id": "resp_unknown"}])
async def test_cancelling_nothing_is_refused(fields: dict[str, str]) -> None:
    async with conversing(says("Hello.")) as (client, _):
        await answered(client)
        error = await client.error_after("response.cancel", **fields)
        assert error["code"] == "response_cancel_not_active"
        assert error["message"] == "Cancellation failed: no active response found"


async def test_an_out_of_band_response_runs_beside_and_leaves_no_trace() -> None:
    async with conversing(says("word " * 50, "Mine."), pace=STALLED) as (client, server):
        await client.send("response.create")
        await client.until("response.output_audio.delta")
        aside = {"conversation": "none", "metadata": {"topic": "t"}, "output_modalities": ["text"]}
        client.seen.clear()
        done = await answered(client, **aside, input=[], instructions="Classify.")
        assert done["conversation_id"] is None
        assert done["metadata"] == {"topic": "t"}
        assert done["output"][0]["content"][0]["type"] == "output_text"
        assert "conversation.item.added" not in client.types()
        item_id = done["output"][0]["id"]
        error = await client.error_after("conversation.item.retrieve", item_id=item_id)
        assert error["code"] == "item_retrieve_invalid_item_id"
        statuses = [made.status for made in server.sessions[0].log.responses]
        assert statuses == ["in_progress", "completed"]
        await client.send("response.cancel")
        await client.until("response.done")
        await client.send("response.create")
        words = await client.until("response.output_audio_transcript.delta")
        assert words["delta"] == "Mine."


async def test_out_of_band_responses_are_not_without_number() -> None:
    async with conversing(says(), pace=STALLED) as (client, _):
        for _ in range(MOST_AT_ONCE):
            await client.send("response.create", response={"conversation": "none"})
        error = await client.error_after("response.create", response={"conversation": "none"})
        assert error["code"] == "rate_limit_exceeded"


async def test_a_text_response_has_words_and_no_audio() -> None:
    async with conversing(says("Just words.")) as (client, server):
        done = await answered(client, output_modalities=["text"])
        assert done["output_modalities"] == ["text"]
        assert done["output"][0]["content"] == [{"type": "output_text", "text": "Just words."}]
        assert done["usage"]["output_token_details"] == {"text_tokens": 3, "audio_tokens": 0}
        assert server.sessions[0].log.items == {}
    text = "".join(event["delta"] for event in client.of("response.output_text.delta"))
    assert text == client.of("response.output_text.done")[0]["text"] == "Just words."
    assert client.of("response.output_audio.delta") == []
    assert client.of("response.content_part.done")[0]["part"] == {
        "type": "text",
        "text": "Just words.",
    }


async def test_speech_and_call_in_one_response_come_one_after_the_other() -> None:
    step = AgentStep(say="One moment.", call="look_up", arguments={"name": "Ada", "id": 7})
    async with conversing(Script(agent=(step,))) as (client, server):
        done = await answered(client)
        call = server.sessions[0].log.tool_calls[0]
    message, function_call = done["output"]
    assert message["type"] == "message"
    assert function_call["name"] == call.name == "look_up"
    assert json.loads(function_call["arguments"]) == {"name": "Ada", "id": 7}
    added = client.of("response.output_item.added")
    assert [event["output_index"] for event in added] == [0, 1]
    assert (added[1]["item"]["arguments"], added[1]["item"]["status"]) == ("", "in_progress")
    pieces = client.of("response.function_call_arguments.delta")
    finished = client.of("response.function_call_arguments.done")[0]
    assert len(pieces) > 1
    assert "".join(piece["delta"] for piece in pieces) == finished["arguments"]
    assert (finished["name"], finished["call_id"]) == ("look_up", function_call["call_id"])
    assert call.call_id == function_call["call_id"]
    assert [item["status"] for item in done["output"]] == ["completed", "completed"]


class HeldVoice(ToneVoice):
    """A voice that does not begin before it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def speak(self, text: str) -> Speech:
        assert self.let_go.wait(timeout=5)
        return super().speak(text)


async def test_a_response_cancelled_before_its_first_sound_has_no_output() -> None:
    voice = HeldVoice()
    async with conversing(says("One.", "Two."), voice=voice) as (client, _):
        await client.send("response.create")
        await client.send("response.cancel")
        done = (await client.until("response.done"))["response"]
        assert (done["status"], done["output"]) == ("cancelled", [])
        voice.let_go.set()
        assert (await answered(client))["output"][0]["content"][0]["transcript"] == "Two."
        assert len(client.of("response.output_item.added")) == 1


async def test_a_response_cut_while_speaking_makes_no_call() -> None:
    step = AgentStep(say="word " * 50, call="hang_up")
    async with conversing(Script(agent=(step,)), pace=STALLED) as (client, server):
        await client.send("response.create")
        await client.until("response.output_audio.delta")
        await client.send("response.cancel")
        await client.until("rate_limits.updated")
        assert server.sessions[0].log.tool_calls == []


async def test_the_token_limit_ends_a_response_as_incomplete() -> None:
    async with conversing(says("word " * 20)) as (client, _):
        await client.configure()
        done = await answered(client, max_output_tokens=10)
    assert done["status"] == "incomplete"
    assert done["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert len(client.audio_of(done["output"][0]["id"])) == 10 * 50 * 8
    assert done["max_output_tokens"] == 10


async def test_usage_counts_what_was_heard_and_said_and_what_was_cached() -> None:
    async with conversing(says("word " * 5, "word " * 5)) as (client, _):
        await client.configure()
        first = (await answered(client))["usage"]
        second = (await answered(client))["usage"]
    assert first["output_token_details"]["audio_tokens"] == 1000 // 50
    assert first["input_token_details"]["audio_tokens"] == 0
    assert second["input_token_details"]["audio_tokens"] == 20
    assert second["input_token_details"]["cached_tokens"] == first["input_tokens"]
    for usage in (first, second):
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
        details = usage["input_token_details"]
        assert usage["input_tokens"] == details["text_tokens"] + details["audio_tokens"]


async def test_a_response_may_have_its_own_format_and_voice() -> None:
    output = {"format": {"type": "audio/pcma"}, "voice": "cedar"}
    async with conversing(says("Hello there.")) as (client, _):
        await client.configure()
        done = await answered(client, audio={"output": output})
    assert done["audio"]["output"] == output
    expected = Codec("audio/pcma").from_ulaw(ToneVoice().speak("Hello there.").audio)
    assert client.audio_of(done["output"][0]["id"]) == expected


@pytest.mark.parametrize(
    ("response", "code", "param"),
    [
        ({"modalities": ["text"]}, "unknown_parameter", "response.modalities"),
        ({"conversation": "other"}, "invalid_value", "response.conversation"),
        ({"metadata": {str(n): "x" for n in range(17)}}, "array_above_max_length",
         "response.metadata"),
        ({"metadata": {"topic": "x" * 513}}, "string_above_max_length", "response.metadata.topic"),
        ({"input": [{"type": "message", "role": "user"}]}, "missing_required_parameter",
         "response.input[0].content"),
        ("now", "invalid_type", "response"),
    ],
)  # fmt: skip
async def test_wrong_response_settings_are_refused(response: Any, code: str, param: str) -> None:
    async with conversing(says("Hello.")) as (client, server):
        error = await client.error_after("response.create", response=response)
        assert (error["code"], error["param"]) == (code, param)
        assert server.sessions[0].log.responses == []


async def test_instructions_of_a_response_still_take_the_next_step() -> None:
    async with conversing(says("One.", "Two.")) as (client, _):
        done = await answered(client, instructions="Say exactly: something else")
        assert done["output"][0]["content"][0]["transcript"] == "One."
        assert (await answered(client))["output"][0]["content"][0]["transcript"] == "Two."


async def test_a_failed_response_has_no_output_and_says_why() -> None:
    async with conversing(says("One.", "Two."), faults=Faults(fail_response=0)) as (client, _):
        failed = await answered(client)
        assert (failed["status"], failed["output"]) == ("failed", [])
        assert failed["status_details"]["error"]["code"] == "server_error"
        assert (await answered(client))["status"] == "completed"


async def test_whoever_watches_is_told_what_happens() -> None:
    notes: list[ServerNote] = []
    script = Script(agent=(AgentStep(say="Hello.", call="f"),))
    async with conversing(script, pace=INSTANT, on_event=notes.append) as (client, _):
        await client.configure()
        await client.talk()
        await client.until("response.done")
        await client.error_after("response.cancel")
    kinds_told = [note.kind for note in notes]
    assert kinds_told == ["speech_started", "speech_stopped", "response", "tool", "error"]
    assert notes[2].text == "Hello."
    assert [note.at for note in notes] == sorted(note.at for note in notes)
