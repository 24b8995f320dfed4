"""Whole calls by the simulated carrier, which reads our TwiML as the real one does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from model_harness import ToneVoice
from server_office import AUTH_TOKEN, Office

from voicebridge.bridge.call_runner import CallRunner
from voicebridge.call import events as ev
from voicebridge.rehearsal.behaviour import ScriptedCaller
from voicebridge.rehearsal.carrier import SimulatedCarrier
from voicebridge.rehearsal.phone_log import PhoneLog
from voicebridge.rehearsal.scenario import CallerStep
from voicebridge.server.greetings import GreetingKey

OpenOffice = Callable[..., Awaitable[Office]]

WORDS = "Harbour Dental, good day. How can I help you?"
WITHIN_S = 20.0


def carrier_of(office: Office) -> SimulatedCarrier:
    return SimulatedCarrier(office.bridge.url + "/twilio/voice", auth_token=AUTH_TOKEN)


def is_clean(log: PhoneLog) -> bool:
    return log.errors == [] and log.protocol_violations == []


async def test_a_caller_is_transferred_after_the_last_word(
    open_office: OpenOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = await open_office("One moment.")
    calls, began = office.bridge.switchboard.calls, asyncio.Event()
    opened = calls.opened
    runners: list[CallRunner] = []

    def note(call_id: str, runner: CallRunner) -> None:
        opened(call_id, runner)
        runners.append(runner)
        began.set()

    monkeypatch.setattr(calls, "opened", note)
    async with asyncio.timeout(WITHIN_S), asyncio.TaskGroup() as tasks:
        placed = tasks.create_task(
            carrier_of(office).place_call(ScriptedCaller([]), deadline_s=WITHIN_S)
        )
        await began.wait()
        runners[0].feed(ev.TransferRequested("c1", "+15550100099"))
    log = placed.result()
    assert log.verbs_after_stream[:2] == [
        f"Redirect {office.bridge.url}/twilio/after-stream?bridge.persona=front-desk",
        "Dial +15550100099",
    ]
    assert log.verbs_after_stream[-1] == "Hangup"
    assert is_clean(log)


async def test_a_greeting_from_memory_is_played_whole_and_at_once(
    open_office: OpenOffice, record_property: Callable[[str, object], None]
) -> None:
    office = await open_office("Not asked for.")
    sound = ToneVoice().speak(WORDS).audio
    key = GreetingKey("marin", "gpt-realtime-2.1", None, WORDS)
    office.bridge.switchboard.greetings.keep(key, sound)
    caller = ScriptedCaller([(CallerStep(hang_up=True, after_agent_ms=200), None)])
    log = await carrier_of(office).place_call(caller, deadline_s=WITHIN_S)
    assert sound in bytes(log.heard_audio)
    assert log.first_agent_audio_at is not None
    assert log.connected_at is not None
    late_s = log.first_agent_audio_at - log.connected_at
    record_property("first_greeting_frame_ms", round(late_s * 1000, 1))
    record = await office.shelf.record_of(log.call_sid)
    assert record["spoken"][0]["text"] == WORDS
    assert record["spoken"][0]["heard_ms"] == len(sound) // 8
    assert is_clean(log)
