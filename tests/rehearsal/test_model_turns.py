from __future__ import annotations

import base64

import pytest
from model_harness import STALLED, conversing, says, tone

from voicebridge.audio import g711
from voicebridge.audio.format import silence
from voicebridge.rehearsal.codecs import Codec


def quiet(duration_ms: int) -> bytes:
    return silence(duration_ms * 8)


async def test_a_spoken_turn_brings_its_events_in_the_order_of_the_protocol() -> None:
    script = says("Good morning.", caller=("Hello there.",))
    async with conversing(script) as (client, server):
        await client.configure(transcription={"model": "gpt-transcribe"})
        client.seen.clear()
        await client.append(quiet(400) + tone(600) + quiet(600))
        await client.until("rate_limits.updated")
        log = server.sessions[0].log
    kinds = [kind for kind in client.types() if not kind.endswith(".delta")]
    transcribed = "conversation.item.input_audio_transcription.completed"
    assert kinds == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
        transcribed,
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
    started, stopped, committed = client.seen[:3]
    assert (started["audio_start_ms"], stopped["audio_end_ms"]) == (100, 1500)
    assert started["item_id"] == stopped["item_id"] == committed["item_id"]
    assert client.of(transcribed)[0]["transcript"] == "Hello there."
    assert client.of(transcribed)[0]["usage"]["input_tokens"] == 14
    words = client.of("conversation.item.input_audio_transcription.delta")
    assert "".join(event["delta"] for event in words) == "Hello there."
    span = log.speech[0]
    assert (span.audio_start_ms, span.audio_end_ms) == (100, 1500)
    assert span.stopped_at is not None
    assert span.stopped_at >= 0 < span.started_at


async def test_speech_is_announced_within_sixty_milliseconds_of_it() -> None:
    async with conversing(says("Hello.")) as (client, _):
        await client.configure()
        await client.append(quiet(400) + tone(60))
        started = await client.until("input_audio_buffer.speech_started")
        assert started["audio_start_ms"] == 100


async def test_padding_silence_and_threshold_of_the_session_are_honoured() -> None:
    detection = {"type": "server_vad", "prefix_padding_ms": 100, "silence_duration_ms": 200}
    async with conversing(says("Hello.")) as (client, _):
        await client.configure(turn_detection={**detection, "threshold": 0.9})
        await client.append(quiet(400) + tone(300, 1_000) + quiet(400) + tone(300) + quiet(200))
        stopped = await client.until("input_audio_buffer.speech_stopped")
        started = client.of("input_audio_buffer.speech_started")
        assert [event["audio_start_ms"] for event in started] == [1000]
        assert stopped["audio_end_ms"] == 1600


async def test_without_create_response_the_turn_is_committed_and_nothing_said() -> None:
    detection = {"type": "server_vad", "create_response": False}
    async with conversing(says("Hello.")) as (client, server):
        await client.configure(turn_detection=detection)
        await client.talk()
        await client.until("conversation.item.done")
        await client.send("response.create")
        await client.until("response.done")
        assert len(server.sessions[0].log.responses) == 1


async def test_speaking_over_a_response_cancels_it_and_the_next_turn_is_answered() -> None:
    script = says("word " * 100, "Yes?")
    async with conversing(script, pace=STALLED) as (client, server):
        await client.configure()
        await client.send("response.create")
        await client.until("response.output_audio.delta")
        await client.append(quiet(200) + tone(200))
        done = (await client.until("response.done"))["response"]
        assert done["status"] == "cancelled"
        assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
        assert [item["status"] for item in done["output"]] == ["incomplete"]
        order = client.types()
        assert order.index("input_audio_buffer.speech_started") < order.index("response.done")
        await client.append(quiet(700))
        await client.until("response.output_audio.delta")
        log = server.sessions[0].log
    assert [made.status for made in log.responses] == ["cancelled", "in_progress"]
    first = next(iter(log.items.values()))
    assert 0 < first.sent_bytes < len(first.audio)
    assert client.audio_of(first.item_id) == first.audio[: first.sent_bytes]


async def test_without_interrupt_response_the_agent_speaks_on() -> None:
    detection = {"type": "server_vad", "interrupt_response": False}
    async with conversing(says("word " * 20), pace=STALLED) as (client, server):
        await client.configure(turn_detection=detection)
        await client.send("response.create")
        await client.until("response.output_audio.delta")
        await client.talk()
        await client.until("input_audio_buffer.committed")
        assert "response.done" not in client.types()
        await client.send("response.cancel")
        assert (await client.until("response.done"))["response"]["status"] == "cancelled"
        assert len(server.sessions[0].log.responses) == 1


async def test_without_turn_detection_the_client_commits_and_asks() -> None:
    async with conversing(says("Hello.")) as (client, server):
        await client.configure(turn_detection=None)
        await client.talk(400)
        await client.send("input_audio_buffer.commit")
        committed = await client.until("input_audio_buffer.committed")
        assert committed["previous_item_id"] is None
        item = (await client.until("conversation.item.done"))["item"]
        assert (item["id"], item["role"]) == (committed["item_id"], "user")
        await client.send("response.create")
        usage = (await client.until("response.done"))["response"]["usage"]
        assert usage["input_token_details"]["audio_tokens"] == 13
        assert server.sessions[0].log.speech == []


async def test_detection_switched_on_in_mid_call_counts_from_the_first_byte() -> None:
    async with conversing(says("Hello.")) as (client, _):
        await client.configure(turn_detection=None)
        await client.append(tone(1000))
        await client.configure(turn_detection={"type": "server_vad"})
        await client.append(quiet(1000) + tone(300))
        started = await client.until("input_audio_buffer.speech_started")
        assert started["audio_start_ms"] == 1700


async def test_a_commit_of_less_than_a_tenth_of_a_second_is_refused() -> None:
    async with conversing(says("Hello.")) as (client, _):
        await client.configure(turn_detection=None)
        error = await client.error_after("input_audio_buffer.commit")
        assert error["code"] == "input_audio_buffer_commit_empty"
        assert error["message"].endswith("buffer only has 0.00ms of audio.")
        await client.append(quiet(80))
        assert "80.00ms" in (await client.error_after("input_audio_buffer.commit"))["message"]


async def test_a_cleared_buffer_forgets_its_speech() -> None:
    async with conversing(says("Hello.")) as (client, _):
        await client.configure()
        await client.append(quiet(200) + tone(300))
        await client.send("input_audio_buffer.clear")
        await client.until("input_audio_buffer.cleared")
        error = await client.error_after("input_audio_buffer.commit")
        assert error["code"] == "input_audio_buffer_commit_empty"
        await client.append(quiet(1000))
        await client.send("input_audio_buffer.commit")
        await client.until("input_audio_buffer.committed")
        assert "input_audio_buffer.speech_stopped" not in client.types()


async def test_a_commit_in_mid_speech_keeps_the_announced_item() -> None:
    async with conversing(says("Hello.")) as (client, _):
        await client.configure()
        await client.append(quiet(200) + tone(300))
        started = await client.until("input_audio_buffer.speech_started")
        await client.send("input_audio_buffer.commit")
        committed = await client.until("input_audio_buffer.committed")
        assert committed["item_id"] == started["item_id"]


@pytest.mark.parametrize(
    ("audio", "code"),
    [("%%%", "invalid_value"), ("QQ=", "invalid_value"), ("QQ==QQ==", "invalid_value"),
     ("ä", "invalid_value"), (5, "invalid_type"), (None, "invalid_type")],
)  # fmt: skip
async def test_bad_audio_is_an_error_event_and_the_session_goes_on(
    audio: object, code: str
) -> None:
    async with conversing(says("Hello.")) as (client, server):
        await client.configure()
        error = await client.error_after("input_audio_buffer.append", audio=audio)
        assert (error["code"], error["param"]) == (code, "audio")
        await client.talk()
        await client.until("response.done")
        assert server.sessions[0].log.errors_sent[0].client_event_id == "mine"


async def test_an_append_of_more_than_fifteen_mebibytes_is_refused() -> None:
    async with conversing(says("Hello.")) as (client, server):
        await client.configure()
        audio = base64.b64encode(bytes(15 * 2**20 + 1)).decode()
        error = await client.error_after("input_audio_buffer.append", audio=audio)
        assert error["code"] == "string_above_max_length"
        assert server.sessions[0].log.appended == b""


async def test_an_append_has_no_other_keys() -> None:
    async with conversing(says("Hello.")) as (client, _):
        error = await client.error_after("input_audio_buffer.append", audio="", rate=8000)
        assert (error["code"], error["param"]) == ("unknown_parameter", "rate")
        error = await client.error_after("input_audio_buffer.append")
        assert (error["code"], error["param"]) == ("missing_required_parameter", "audio")


async def test_a_turn_that_the_script_does_not_know_has_no_transcript() -> None:
    async with conversing(says("Hello.")) as (client, _):
        await client.configure(transcription={"model": "gpt-transcribe"})
        await client.talk()
        failed = await client.until("conversation.item.input_audio_transcription.failed")
        assert failed["error"]["code"] == "no_script"


async def test_all_audio_is_kept_in_order_as_it_came() -> None:
    audio = quiet(200) + tone(500) + quiet(100)
    async with conversing(says("Hello.")) as (client, server):
        await client.configure(turn_detection=None)
        await client.append(audio, piece=777)
        await client.send("input_audio_buffer.commit")
        await client.until("input_audio_buffer.committed")
        log = server.sessions[0].log
    assert bytes(log.appended) == audio
    assert log.append_count == log.received["input_audio_buffer.append"] == -(-len(audio) // 777)


@pytest.mark.parametrize("name", ["audio/pcm", "audio/pcma"])
async def test_speech_is_heard_in_the_other_formats_too(name: str) -> None:
    audio = quiet(400) + tone(600) + quiet(700)
    async with conversing(says("Hello.")) as (client, _):
        update = {"type": "realtime", "audio": {"input": {"format": {"type": name}}}}
        await client.send("session.update", session=update)
        await client.append(Codec(name).from_ulaw(audio), piece=960)
        started = await client.until("input_audio_buffer.speech_started")
        stopped = await client.until("input_audio_buffer.speech_stopped")
    assert abs(started["audio_start_ms"] - 100) <= 20
    assert abs(stopped["audio_end_ms"] - 1500) <= 20


async def test_half_a_sample_is_refused() -> None:
    async with conversing(says("Hello.")) as (client, _):
        odd = base64.b64encode(b"abc").decode()
        error = await client.error_after("input_audio_buffer.append", audio=odd)
        assert (error["code"], error["message"][-14:]) == ("invalid_value", "whole samples.")


async def test_a_caller_who_stays_silent_is_prompted_once() -> None:
    detection = {"type": "server_vad", "idle_timeout_ms": 5_000}
    async with conversing(says("Anyone?", "Still there?")) as (client, server):
        await client.configure(turn_detection=detection)
        await client.send("response.create")
        await client.until("rate_limits.updated")
        await client.append(quiet(6_000), piece=1_600)
        triggered = await client.until("input_audio_buffer.timeout_triggered")
        assert triggered["audio_start_ms"] == 0
        assert 5_200 <= triggered["audio_end_ms"] <= 5_600
        committed = await client.until("input_audio_buffer.committed")
        assert committed["item_id"] == triggered["item_id"]
        await client.until("response.done")
        assert len(server.sessions[0].log.responses) == 2


def test_every_codec_gives_back_what_it_was_given() -> None:
    audio = tone(100)
    for name in ("audio/pcmu", "audio/pcma", "audio/pcm"):
        codec = Codec(name)
        there = codec.from_ulaw(audio)
        assert len(there) == 100 * codec.bytes_per_ms
        back = codec.to_ulaw(there)
        assert abs(len(back) - len(audio)) <= 1
        assert abs(g711.rms(back) - g711.rms(audio)) < 200
