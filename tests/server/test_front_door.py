"""How many calls are taken, what comes after a stream, and what a health check sees."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from server_office import AUTH_TOKEN, CALLED, CALLER, WITHIN_S, Office, get

from voicebridge import __version__
from voicebridge.bridge.phrases import load_phrases
from voicebridge.rehearsal.raw_stream import RawStream

OpenOffice = Callable[..., Awaitable[Office]]

TROUBLE = load_phrases()["trouble"]


async def ring(office: Office, call_id: str) -> str:
    status, twiml = await office.post("/twilio/voice", CallSid=call_id, From=CALLER, To=CALLED)
    assert status == 200
    return twiml


async def readiness(office: Office) -> tuple[int, str]:
    status, body = await get(office.bridge.url + "/readyz")
    return status, body["status"]


async def is_ready_again(office: Office) -> None:
    """Ask until the last call is off the list, which is a moment after its record is written."""
    async with asyncio.timeout(WITHIN_S):
        while await readiness(office) != (200, "ready"):
            pass


async def test_one_call_too_many_gets_the_busy_tone_and_costs_nothing(
    open_office: OpenOffice,
) -> None:
    office = await open_office(max_calls=2)
    async with office.call() as first, office.call() as second:
        assert await readiness(office) == (503, "busy")
        assert '<Reject reason="busy"' in await ring(office, "CA3")
        with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
            await RawStream(office.media_url, auth_token=AUTH_TOKEN).connect()
        assert len(office.model.served) == 2
        await office.ends_well(first)
        await is_ready_again(office)
        async with office.call() as third:
            await office.ends_well(third)
        await office.ends_well(second)
    await office.model.all_over()
    assert len(office.model.served) == 3


async def test_a_call_that_was_answered_has_its_line_kept_until_its_stream_comes(
    open_office: OpenOffice,
) -> None:
    office = await open_office(max_calls=1)
    async with office.answered() as (one, token_1, _):
        assert await readiness(office) == (503, "busy")
        assert '<Reject reason="busy"' in await ring(office, "CA2")
        await one.begin(token=token_1)
        assert await one.read() is not None
        assert '<Reject reason="busy"' in await ring(office, "CA2")
    await office.shelf.record_of(one.writer.call_sid)
    await office.model.none_open()
    assert len(office.model.sessions) == 1


async def test_of_twenty_callers_at_once_exactly_as_many_are_answered_as_there_are_lines(
    open_office: OpenOffice,
) -> None:
    office = await open_office(max_calls=3)
    async with asyncio.timeout(WITHIN_S), asyncio.TaskGroup() as tasks:
        rings = [tasks.create_task(ring(office, f"CA{number}")) for number in range(20)]
    answers = [task.result() for task in rings]
    assert sum("<Connect>" in twiml for twiml in answers) == 3
    assert sum('<Reject reason="busy"' in twiml for twiml in answers) == 17
    await office.bridge.switchboard.drain()
    await office.model.none_open()
    assert len(office.model.sessions) <= 3


async def test_a_stream_that_comes_too_late_finds_its_line_taken(
    open_office: OpenOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicebridge.server.early_dial.UNUSED_S", 0.0)
    office = await open_office(max_calls=1)
    async with office.answered() as (late, token, _):
        await office.model.none_open()
        async with office.call() as line:
            await late.begin(token=token)
            assert await late.read() is None
            assert late.close_code == 1008
            await office.ends_well(line)
    assert len(office.model.served) == 1


async def test_healthz_tells_that_the_process_is_alive_and_how_many_calls_go_on(
    open_office: OpenOffice,
) -> None:
    office = await open_office(max_calls=1)
    alive = {"status": "ok", "version": __version__}
    assert await get(office.bridge.url + "/healthz") == (200, {**alive, "refused": 0, "calls": 0})
    async with office.call() as line:
        assert await get(office.bridge.url + "/healthz") == (
            200,
            {**alive, "refused": 0, "calls": 1},
        )
        await office.ends_well(line)
    await is_ready_again(office)
    assert await get(office.bridge.url + "/readyz") == (
        200,
        {"status": "ready", "calls": 0, "max_calls": 1},
    )


async def test_a_bridge_that_is_stopped_lets_callers_know_and_takes_no_more(
    open_office: OpenOffice,
) -> None:
    office = await open_office()
    async with office.call() as line, office.answered() as (late, token, _):
        async with asyncio.timeout(WITHIN_S), asyncio.TaskGroup() as tasks:
            tasks.create_task(office.bridge.switchboard.drain())
            await line.until_heard(TROUBLE)
            assert await readiness(office) == (503, "busy")
            assert '<Reject reason="busy"' in await ring(office, "CA9")
            await late.begin(token=token)
            assert await late.read() is None
            await line.until_closed()
            await office.after_stream(line)
        record = await office.ended(line)
        assert (record["ended"], record["problems"]) == ("shutdown", [])
    await office.model.all_over()


async def test_a_bridge_that_is_stopped_has_the_last_word(
    open_office: OpenOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicebridge.bridge.registry.TELL_WITHIN_S", 0.05)
    office = await open_office("A long reply. " * 10, pace=6.0)
    async with office.call() as line:
        await office.bridge.switchboard.calls.drain(0, WITHIN_S)
        await line.until_closed()
        assert line.heard.endswith(TROUBLE)


async def test_a_carrier_that_asks_what_comes_next_finds_the_bridge_that_is_stopped(
    open_office: OpenOffice,
) -> None:
    office = await open_office()
    async with office.call() as line, asyncio.timeout(WITHIN_S), asyncio.TaskGroup() as tasks:
        drained = tasks.create_task(office.bridge.switchboard.drain())
        await line.until_closed()
        await office.ended(line)
        assert not drained.done()
        assert "<Say>" not in await office.after_stream(line)


async def test_a_carrier_that_never_asks_does_not_keep_a_bridge_from_stopping(
    open_office: OpenOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicebridge.bridge.registry.TELL_WITHIN_S", 0.05)
    office = await open_office()
    async with office.call() as line:
        async with asyncio.timeout(WITHIN_S):
            await office.bridge.switchboard.drain()
        assert (await office.ended(line))["ended"] == "shutdown"


async def test_a_caller_who_still_listens_when_time_is_up_is_cut_off_with_a_reason(
    open_office: OpenOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicebridge.server.switchboard.GOODBYE_WITHIN_S", 0.1)
    office = await open_office()
    async with office.answered() as (raw, token, _):
        await raw.begin(token=token)
        assert await raw.read() is not None  # and the marks behind it never come back
        async with asyncio.timeout(WITHIN_S), asyncio.TaskGroup() as tasks:
            tasks.create_task(office.bridge.switchboard.drain())
            while await raw.read() is not None:
                pass
            await office.post("/twilio/after-stream", CallSid=raw.writer.call_sid)
        record = await office.shelf.record_of(raw.writer.call_sid)
        assert record["ended"] == "shutdown"
    await office.model.all_over()
