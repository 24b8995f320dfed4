"""The instant greeting in whole calls: from memory, whole, and at once."""

from __future__ import annotations

from front_calls import WITHIN_S, OpenOffice, all_of, carrier_of, hangs_up, is_clean
from model_harness import ToneVoice

from voicebridge.server.greetings import greeting_key

CALLS = 3
MOST_LATE_MS = 50


async def test_a_greeting_from_memory_is_played_whole_and_at_once(
    open_office: OpenOffice,
) -> None:
    office = await open_office("Not asked for.")
    switchboard = office.bridge.switchboard
    persona = switchboard.personas.default
    key = greeting_key(persona, persona.model)
    assert key is not None
    assert persona.greeting is not None
    words = persona.greeting.say or ""
    sound = ToneVoice().speak(words).audio
    switchboard.greetings.keep(key, sound)
    logs = await all_of(
        [carrier_of(office).place_call(hangs_up(), deadline_s=WITHIN_S) for _ in range(CALLS)]
    )
    late_ms = []
    for log in logs:
        assert is_clean(log)
        assert sound in bytes(log.heard_audio)
        assert log.first_agent_audio_at is not None
        late_ms.append((log.first_agent_audio_at - log.streams[0].connected_at) * 1000)
        record = await office.shelf.record_of(log.call_sid)
        assert record["spoken"][0]["text"] == words
        assert record["spoken"][0]["heard_ms"] == len(sound) // 8
    # Whatever else a machine does meanwhile, it does not do in every call.
    assert min(late_ms) <= MOST_LATE_MS, late_ms
