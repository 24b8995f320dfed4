"""The caller's keys over sockets: pressed on a telephone, told to the model or run by a tool."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import pytest
from server_office import AUTH_TOKEN, Line, Office

from voicebridge.personas.caller_keys import CallerKeys
from voicebridge.rehearsal.behaviour import ScriptedCaller
from voicebridge.rehearsal.carrier import SimulatedCarrier
from voicebridge.rehearsal.steps import CallerStep
from voicebridge.tools.tool import tool

OpenOffice = Callable[..., Awaitable[Office]]
LONG = " ".join(["word"] * 40)
"""Eight seconds of speech."""

TOLD = "(The caller pressed these keys: 471183{})"


@tool
def extension(number: Annotated[str, "the number of an extension"]) -> dict[str, str]:
    """Tell whose extension it is."""
    return {"name": f"Ann of {len(number)}"}


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Say what the persona that answers does with keys."""

    def alter(office: Office, **changes: Any) -> None:
        book = office.bridge.switchboard.personas
        altered = book["front-desk"].model_copy(update=changes)
        monkeypatch.setitem(book._personas, "front-desk", altered)

    return alter


def conversation(office: Office) -> list[dict[str, Any]]:
    """The items of the only call's conversation, as the model has them."""
    (session,) = [session for session in office.model.sessions if session.log.used]
    return [item.body for item in session._state.conversation._items.values()]


def texts(office: Office) -> list[str]:
    """What was written into the conversation in the caller's name."""
    return [
        part["text"]
        for body in conversation(office)
        if body.get("role") == "user"
        for part in body["content"]
        if "text" in part
    ]


async def press(line: Line, keys: str) -> None:
    for key in keys:
        await line.raw.send(line.raw.writer.dtmf(key))


async def test_keys_that_a_telephone_presses_stop_the_agent_and_are_one_text(
    open_office: OpenOffice, answer: Callable[..., None], capfd: pytest.CaptureFixture[str]
) -> None:
    office = await open_office(LONG, "So be it.", pace=8.0)
    answer(office, keys=CallerKeys(pause_ms=300))
    carrier = SimulatedCarrier(
        webhook_url=office.bridge.url + "/twilio/voice", auth_token=AUTH_TOKEN
    )
    steps = (
        CallerStep(press="471183", into_agent_ms=400),
        CallerStep(hang_up=True, after_agent_ms=50),
    )
    phone = await carrier.place_call(ScriptedCaller([(s, None) for s in steps]), deadline_s=20)
    record = await office.shelf.record_of(phone.call_sid)
    assert texts(office) == [TOLD.format("")]
    (cut,) = phone.clears
    pressed_ms = phone.keys[0].carrier_ms
    assert pressed_ms <= cut.carrier_ms <= phone.keys[-1].carrier_ms, "the first key cut"
    (truncate,) = office.model.served[0].truncates
    assert truncate.accepted
    assert [each["text"] for each in record["spoken"][1:]] == ["(6 keys pressed)", "So be it."]
    assert len(record["barge_ins_ms"]) == 1
    assert "471183" not in json.dumps(record).replace(record["call_id"], "")
    shown = capfd.readouterr()
    assert "call_started" in shown.out
    assert "471183" not in (shown.out + shown.err).replace(phone.call_sid, "")


async def test_a_tool_is_run_with_the_keys_and_the_model_told_what_came_of_it(
    open_office: OpenOffice, answer: Callable[..., None]
) -> None:
    office = await open_office("Good day.", "It is Ann.")
    office.bridge.switchboard.tools.add(extension)
    answer(office, tools=("extension",), keys=CallerKeys(mode="tool", tool="extension"))
    async with office.call() as line:
        heard = len(line.heard)
        await press(line, "471183#")
        await line._bell.until(lambda: len(line.heard) > heard)
        await line.hang_up()
        record = await office.ended(line)
    asked, told = (body for body in conversation(office) if "function" in body["type"])
    assert (asked["name"], json.loads(asked["arguments"])) == ("extension", {"number": "471183"})
    assert (told["call_id"], told["output"]) == (asked["call_id"], '{"name":"Ann of 6"}')
    assert texts(office) == []
    (noted,) = record["tools"]
    assert (noted["name"], noted["arguments"], noted["ok"]) == ("extension", "", True)
    assert record["problems"] == []


async def test_keys_that_are_ignored_change_nothing(
    open_office: OpenOffice, answer: Callable[..., None]
) -> None:
    office = await open_office("Good day.", "The second reply.")
    answer(office, keys=CallerKeys(mode="ignore"))
    async with office.call() as line:
        await press(line, "471183#")
        await line.is_answered()
        await line.hang_up()
        record = await office.ended(line)
    assert texts(office) == []
    assert record["barge_ins_ms"] == []
    assert not any("keys" in spoken["text"] for spoken in record["spoken"])
