"""The model is dialled before the stream comes, and a greeting heard before is said at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from model_harness import ToneVoice
from server_office import WITHIN_S, Line, Office

from voicebridge.rehearsal.faults import Faults
from voicebridge.server.greetings import GreetingCache, GreetingKey
from voicebridge.settings import Greetings

OpenOffice = Callable[..., Awaitable[Office]]

WORDS = "Harbour Dental, good day. How can I help you?"
KEY = GreetingKey("marin", "gpt-realtime-2.1", None, WORDS)
SOUND = ToneVoice().speak(WORDS).audio


async def dialled(office: Office, call_id: str) -> None:
    """Wait until the model of a call that was answered is there."""
    early, _ = office.bridge.switchboard.early._waiting[call_id]
    await asyncio.wait({early._dialling}, timeout=WITHIN_S)
    assert early._dialling.done()


async def whole_call(office: Office) -> Line:
    async with office.call() as line:
        await line.until_heard(SOUND)
        await line.is_answered()
        await line.hang_up()
        await office.ended(line)
    return line


async def test_the_model_is_dialled_when_the_webhook_is_answered(open_office: OpenOffice) -> None:
    office = await open_office()
    async with office.answered() as (raw, token, _):
        await dialled(office, raw.writer.call_sid)
        await raw.begin(token=token)
        assert await raw.read() is not None
        assert len(office.model.sessions) == 1
    await office.model.none_open()


async def test_a_model_whose_stream_does_not_come_is_dropped(
    open_office: OpenOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicebridge.server.early_dial.UNUSED_S", 0.2)
    office = await open_office()
    await office.answer("CA1")
    await dialled(office, "CA1")
    await office.model.none_open()
    assert office.bridge.switchboard.has_line_for("")


async def test_a_webhook_that_is_sent_twice_leaves_one_model(open_office: OpenOffice) -> None:
    office = await open_office()
    await office.answer("CA1")
    await office.answer("CA1")
    assert len(office.bridge.switchboard.early) == 1
    await office.bridge.switchboard.drain()
    await office.model.none_open()


@pytest.mark.parametrize(
    "faults",
    [Faults(hang_handshake=True), Faults(refuse_status=500), Faults(created_delay_s=60)],
    ids=["silent", "refusing", "slow"],
)
async def test_the_webhook_answers_within_a_second_whatever_the_model_does(
    open_office: OpenOffice, faults: Faults
) -> None:
    office = await open_office(faults=faults)
    async with asyncio.timeout(1.0):
        await office.answer("CA1")
    await office.bridge.switchboard.drain()


async def test_a_greeting_that_was_heard_whole_is_said_at_once_the_next_time(
    open_office: OpenOffice,
) -> None:
    office = await open_office(WORDS, "Second.")
    await whole_call(office)
    found = office.bridge.switchboard.greetings.find(KEY)
    assert found is not None
    assert found.audio == SOUND
    await whole_call(office)
    second = office.model.logs[1]
    assert second.received["response.create"] == 0
    assert second.received["conversation.item.create"] == 1
    told = office.model.sessions[1]
    assert told.log.errors_sent == []


async def test_it_does_not_wait_for_the_model(open_office: OpenOffice) -> None:
    office = await open_office(faults=Faults(hang_handshake=True), connect_timeout_s=WITHIN_S)
    office.bridge.switchboard.greetings.keep(KEY, SOUND)
    async with office.call(greeted=False) as line:
        async with asyncio.timeout(1.0):
            await line.until_heard(SOUND)
        assert office.model.sessions == []
        await line.hang_up()
        record = await office.ended(line)
    assert record["spoken"][0]["text"] == WORDS


async def test_on_disk_it_outlives_the_bridge(open_office: OpenOffice, tmp_path: Path) -> None:
    cache = GreetingCache(tmp_path / "greetings")
    cache.keep(KEY, SOUND)
    await cache.close()
    office = await open_office("Another.", greetings=Greetings(directory=tmp_path / "greetings"))
    token, _ = await office.answer("CA1")
    assert token
    await office.bridge.switchboard.greetings.close()
    assert office.bridge.switchboard.greetings.find(KEY) is not None
    await office.bridge.switchboard.drain()


async def test_what_the_sound_depends_on_tells_greetings_apart(tmp_path: Path) -> None:
    keys = {
        KEY,
        GreetingKey("cedar", KEY.model, None, WORDS),
        GreetingKey("marin", "other", None, WORDS),
        GreetingKey("marin", KEY.model, 1.1, WORDS),
        GreetingKey("marin", KEY.model, None, "Hello."),
    }
    assert len({key.file_name for key in keys}) == 5
    cache = GreetingCache(tmp_path)
    cache.prefetch(KEY)
    await cache.close()
    assert cache.find(KEY) is None
