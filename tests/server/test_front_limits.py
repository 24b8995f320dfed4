"""Limits before money, as callers meet them: the busy tone, and an agent that comes to an end."""

from __future__ import annotations

import asyncio

import pytest
from front_calls import (
    LISTENS,
    WITHIN_S,
    OpenOffice,
    all_of,
    carrier_of,
    hangs_up,
    is_clean,
    verbs,
    watch,
)
from server_office import Office

from voicebridge.call import events as ev
from voicebridge.call.reasons import EndReason
from voicebridge.personas.persona import Persona
from voicebridge.rehearsal.behaviour import ScriptedCaller
from voicebridge.rehearsal.faults import Faults
from voicebridge.rehearsal.scenario import CallerStep
from voicebridge.server.spending import WRAP_UP
from voicebridge.settings import Limits


async def test_callers_beyond_the_last_line_hear_the_busy_tone_and_cost_nothing(
    open_office: OpenOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = await open_office(max_calls=2)
    begun = watch(office, monkeypatch)
    async with asyncio.timeout(WITHIN_S), asyncio.TaskGroup() as tasks:
        for _ in range(2):
            tasks.create_task(carrier_of(office).place_call(LISTENS, deadline_s=WITHIN_S))
        runners = [await begun.get() for _ in range(2)]
        turned_away = await all_of(
            [carrier_of(office).place_call(LISTENS, deadline_s=WITHIN_S) for _ in range(20)]
        )
        for runner in runners:
            runner.feed(ev.StreamEnded(EndReason.AGENT_HUNG_UP))
    for log in turned_away:
        assert [document.verbs for document in log.documents] == [("Hangup busy",)]
        assert (is_clean(log), log.streams) == (True, [])
    assert len(office.model.sessions) == 2
    assert not any(office.shelf.has(log.call_sid) for log in turned_away)


async def test_a_model_that_hangs_keeps_no_caller_waiting_for_an_answer(
    open_office: OpenOffice,
) -> None:
    office = await open_office(faults=Faults(hang_handshake=True))
    soon = ScriptedCaller([(CallerStep(hang_up=True, after_ms=100), None)])
    log = await carrier_of(office).place_call(soon, deadline_s=WITHIN_S)
    assert (is_clean(log), len(log.streams), office.model.sessions) == (True, 1, [])
    assert log.answered_at is not None
    assert log.connected_at is not None
    assert log.connected_at - log.answered_at < 1.0
    assert (await office.shelf.record_of(log.call_sid))["ended"] == "caller_hung_up"


async def spent_by_a_greeting(office: Office) -> float:
    """Place a call in which nothing is said but the greeting, and tell what it cost."""
    log = await carrier_of(office).place_call(hangs_up(), deadline_s=WITHIN_S)
    return float((await office.shelf.record_of(log.call_sid))["spent_usd"])


async def test_at_four_fifths_of_its_cap_the_agent_is_told_and_the_call_goes_on(
    open_office: OpenOffice,
) -> None:
    cost = await spent_by_a_greeting(await open_office("Hello there."))
    assert cost > 0
    office = await open_office("Hello there.", limits=Limits(spend_per_call_usd=cost / 0.85))
    log = await carrier_of(office).place_call(hangs_up(300), deadline_s=WITHIN_S)
    record = await office.shelf.record_of(log.call_sid)
    assert (record["ended"], is_clean(log)) == ("caller_hung_up", True)
    assert WRAP_UP in office.model.served[-1].told
    assert len(office.model.served[-1].responses) == 1  # and no goodbye is asked for


async def test_a_call_that_lasts_too_long_is_said_goodbye_to_and_ended(
    open_office: OpenOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = await open_office("Hello there.", "Goodbye to you.")
    told = {"name": "Desk", "instructions": "Help.", "greeting": "Greet.",
            "limits": {"max_duration_s": 1}}  # fmt: skip
    book = office.bridge.switchboard.personas
    monkeypatch.setitem(book._personas, "front-desk", Persona.model_validate(told))
    log = await carrier_of(office).place_call(LISTENS, deadline_s=WITHIN_S)
    record = await office.shelf.record_of(log.call_sid)
    assert (record["ended"], log.ended_by, is_clean(log)) == ("max_duration", "bridge", True)
    assert verbs(log) == ["Redirect", "Hangup"]
    goodbye = record["spoken"][-1]
    assert (goodbye["text"], goodbye["heard_ms"]) == ("Goodbye to you.", 600)


async def test_when_the_hour_is_spent_the_calls_that_go_on_come_to_their_end(
    open_office: OpenOffice,
) -> None:
    office = await open_office("Hello there.", "Goodbye.", limits=Limits(spend_per_hour_usd=1e-9))
    log = await carrier_of(office).place_call(LISTENS, deadline_s=WITHIN_S)
    record = await office.shelf.record_of(log.call_sid)
    assert (record["ended"], verbs(log)) == ("spend_limit", ["Redirect", "Hangup"])
    late = await carrier_of(office).place_call(LISTENS, deadline_s=WITHIN_S)
    assert [document.verbs for document in late.documents] == [("Hangup busy",)]
    assert len(office.model.sessions) == 1
