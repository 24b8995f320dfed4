from __future__ import annotations

import asyncio

from model_harness import INSTANT, ToneVoice, dialled, pcmu_session, says, tone

from voicebridge.audio.format import silence
from voicebridge.rehearsal.realtime_server import RealtimeServer
from voicebridge.rehearsal.script import Script
from voicebridge.rehearsal.steps import AgentStep

SESSIONS = 20


async def test_many_sessions_at_once_keep_their_own_audio_and_their_place_in_the_script() -> None:
    script = says("First answer.", "Second answer.", caller=("one", "two"))

    async def call(server: RealtimeServer, number: int) -> tuple[list[str], bytes]:
        async with dialled(server) as client:
            await client.configure(transcription={"model": "gpt-transcribe"})
            for _ in range(2):
                turn = silence(8 * 200) + tone(300, hz=300 + number) + silence(8 * 600)
                await client.append(turn, piece=1_600)
                await client.until("rate_limits.updated")
        said = client.of("response.output_audio_transcript.done")
        heard = client.of("conversation.item.input_audio_transcription.completed")
        return [event["transcript"] for event in said + heard], turn * 2

    async with RealtimeServer(script, ToneVoice(), pace=INSTANT) as server:  # type: ignore[arg-type]
        calls = await asyncio.gather(*(call(server, number) for number in range(SESSIONS)))
        sessions = list(server.sessions)
    expected = ["First answer.", "Second answer.", "one", "two"]
    assert [texts for texts, _ in calls] == [expected] * SESSIONS
    kept = sorted(bytes(session.log.appended) for session in sessions)
    assert kept == sorted(audio for _, audio in calls)
    assert all(session.log.closed_at is not None for session in sessions)
    assert all(session.log.close_code == 1000 for session in sessions)


async def test_sessions_with_a_shared_run_go_on_where_the_one_before_stood() -> None:
    script = says("First answer.", "Second answer.")
    said = []
    async with RealtimeServer(script, ToneVoice(), pace=INSTANT) as server:  # type: ignore[arg-type]
        server.shared = script.begin()
        for _ in range(2):
            async with dialled(server) as client:
                await client.configure()
                await client.send("response.create")
                said.append(await client.until("response.output_audio_transcript.done"))
    assert [event["transcript"] for event in said] == ["First answer.", "Second answer."]


async def test_what_a_client_tells_the_model_is_kept() -> None:
    message = {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "The caller pressed 7."}],
    }
    async with RealtimeServer(says("Hi."), ToneVoice(), pace=INSTANT) as server:  # type: ignore[arg-type]
        async with dialled(server) as client:
            session = pcmu_session() | {"instructions": "Be brief."}
            await client.send("session.update", session=session)
            await client.send("conversation.item.create", item=message)
            await client.send("response.create", response={"instructions": "Greet."})
            await client.until("response.done")
        (kept,) = server.sessions
    assert kept.log.told == ["Be brief.", "The caller pressed 7.", "Greet."]
    assert kept.log.used


async def test_a_model_that_thinks_says_nothing_until_it_has_thought() -> None:
    script = Script(agent=(AgentStep(say="Hi.", wait_ms=60_000),))
    async with (
        RealtimeServer(script, ToneVoice(), pace=INSTANT) as server,  # type: ignore[arg-type]
        dialled(server) as client,
    ):
        await client.configure()
        await client.send("response.create")
        await client.until("response.created")
        await client.send("response.cancel")
        done = await client.until("response.done")
    assert done["response"]["status"] == "cancelled"
    assert done["response"]["output"] == []
