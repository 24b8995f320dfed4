from __future__ import annotations

import asyncio

from model_harness import INSTANT, ToneVoice, dialled, says, tone

from voicebridge.audio.format import silence
from voicebridge.rehearsal.realtime_server import RealtimeServer

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
