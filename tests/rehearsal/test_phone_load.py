from __future__ import annotations

from phone_small_bridge import MediaLeg, SmallBridge, serving

from voicebridge.rehearsal.behaviour import RecordedCaller
from voicebridge.rehearsal.carrier import SimulatedCarrier
from voicebridge.rehearsal.load import place_many, sum_up


async def test_many_calls_at_once_keep_their_audio_apart() -> None:
    async def echo(leg: MediaLeg) -> None:
        while (message := await leg.read()) is not None and message["event"] != "stop":
            if message["event"] == "media":
                audio = {"payload": message["media"]["payload"]}
                await leg.send({"event": "media", "streamSid": leg.stream_sid, "media": audio})

    def caller(number: int) -> RecordedCaller:
        return RecordedCaller(bytes([number]) * 160 * 20, hang_up_after_ms=200)

    async with serving(SmallBridge(script=echo)) as bridge:
        carrier = SimulatedCarrier(bridge.voice_url)
        logs = await place_many(12, carrier, caller, deadline_s=10.0, stagger_s=0.002)
    for number, log in enumerate(logs):
        said = bytes([number]) * 160 * 20
        assert bytes(log.sent_audio[: len(said)]) == said
        assert log.received_audio.startswith(said)
        assert bytes(log.sent_audio).startswith(bytes(log.received_audio))
    summary = sum_up(logs)
    assert (summary.calls, summary.connected, summary.violations) == (12, 12, 0)
    assert summary.ended_by == {"caller": 12}
    assert summary.frames_sent == sum(log.frames_sent for log in logs) >= 12 * 30
    assert summary.errors == ()
    assert summary.first_audio_median_ms is not None
    assert summary.first_audio_max_ms is not None
    assert summary.first_audio_median_ms <= summary.first_audio_max_ms


async def test_calls_that_never_connect_are_counted_as_such() -> None:
    carrier = SimulatedCarrier("http://127.0.0.1:1/voice")
    logs = await place_many(3, carrier, lambda _: RecordedCaller(b""), deadline_s=5.0)
    summary = sum_up(logs)
    assert (summary.connected, summary.ended_by) == (0, {"carrier": 3})
    assert len(summary.errors) == 3
    assert summary.first_audio_median_ms is None
