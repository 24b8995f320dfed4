"""A tool that is stopped while the caller types: the voice is heard again, the keys by nobody."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from voicebridge.call.tool_calls import TIMED_OUT
from voicebridge.rehearsal.script import Script
from voicebridge.rehearsal.steps import AgentStep

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "rehearsal"))

import fault_tools
from server_office import QUESTION, Line, Office

OpenOffice = Callable[..., Awaitable[Office]]


async def press(line: Line, keys: str) -> None:
    for key in keys:
        await line.raw.send(line.raw.writer.dtmf(key))


async def test_a_card_that_is_typed_too_slowly_reaches_nobody_and_the_caller_is_heard_again(
    open_office: OpenOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = await open_office()
    begun = asyncio.Event()
    monkeypatch.setattr(fault_tools, "begin", begun.set)
    book = office.bridge.switchboard.personas
    persona = book["front-desk"].model_copy(update={"tools": ("fault_tools:take_card",)})
    monkeypatch.setitem(book._personas, "front-desk", persona)
    asking = AgentStep(say="Please type it.", call="take_card")
    says = ("Good day.", "That took too long.", "Now I hear you.", "Still.")
    steps = [AgentStep(say=text) for text in says]
    office.model.script = Script(agent=(steps[0], asking, *steps[1:]))
    async with office.call() as line:
        await line.say(QUESTION)
        session = office.model.logs[0]
        async with asyncio.timeout(5):
            await begun.wait()
        await press(line, "42424")
        await line._bell.until(lambda: session.tool_calls[0].output is not None)
        await press(line, "24242")
        await line.is_answered()  # which a muted caller never is
        await press(line, "#")
        await line.is_answered()
        await line.hang_up()
        record = await office.ended(line)
    assert TIMED_OUT in str(session.tool_calls[0].output)
    assert not any("242" in text for text in session.told)
    told = [
        value
        for entry in (*record["spoken"], *record["tools"])
        for key, value in entry.items()
        if isinstance(value, str) and not key.endswith("id")
    ]
    assert told
    assert not any("242" in text for text in told)
    assert record["problems"] == []
