"""What comes after a stream, branch by branch, as a carrier meets it that follows our TwiML."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
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
from voicebridge.cli.main import main
from voicebridge.personas.persona import Persona
from voicebridge.rehearsal.carrier import SimulatedCarrier
from voicebridge.rehearsal.faults import Faults
from voicebridge.rehearsal.phone_log import PhoneLog
from voicebridge.rehearsal.script import Script
from voicebridge.rehearsal.steps import AgentStep
from voicebridge.server.after import APOLOGY, MOST_AGAIN

NOBODY = AgentStep(say="Nobody took it.")
COLLEAGUE = "+15550100099"


def give(office: Office, monkeypatch: pytest.MonkeyPatch, stem: str, **keys: Any) -> None:
    """Have a persona of a test's own."""
    told = {"name": "Desk", "instructions": "Help.", "greeting": "Greet the caller."}
    persona = Persona.model_validate(told | keys)
    monkeypatch.setitem(office.bridge.switchboard.personas._personas, stem, persona)


async def transferring(open_office: OpenOffice, monkeypatch: pytest.MonkeyPatch) -> Office:
    """Open an office whose agent transfers the caller by its tool, and speaks when that fails."""
    office = await open_office()
    give(office, monkeypatch, "front-desk", tools=["transfer"], destinations={"the lab": COLLEAGUE})
    greeting = AgentStep(say="One moment.", call="transfer", arguments={"destination": "the lab"})
    office.model.script = Script(agent=(greeting,), standing=NOBODY)
    return office


def records(folder: Path, log: PhoneLog) -> list[dict[str, Any]]:
    """Read the records of a call's streams in their order."""
    files = sorted((folder / log.call_sid).glob("record*.json"), key=lambda file: len(file.name))
    return [json.loads(file.read_text()) for file in files]


async def test_an_agent_that_hangs_up_ends_the_call(
    open_office: OpenOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = await open_office()
    office.model.script = Script(agent=(AgentStep(say="Goodbye.", call="hang_up"),))
    log = await carrier_of(office).place_call(LISTENS, deadline_s=WITHIN_S)
    assert verbs(log) == ["Redirect", "Hangup"]
    assert (log.ended_by, is_clean(log)) == ("bridge", True)
    assert (await office.shelf.record_of(log.call_sid))["ended"] == "agent_hung_up"


async def test_a_caller_who_is_transferred_and_talked_to_is_gone_for_good(
    open_office: OpenOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = await transferring(open_office, monkeypatch)
    log = await carrier_of(office).place_call(LISTENS, deadline_s=WITHIN_S)
    assert verbs(log) == ["Redirect", "Dial", "Hangup"]
    after = f"{office.bridge.url}/twilio/after-stream?bridge.persona=front-desk"
    assert log.verbs_after_stream[:2] == [f"Redirect {after}", f"Dial {COLLEAGUE}"]
    assert is_clean(log)
    assert len(log.streams) == 1


async def test_a_caller_whom_nobody_took_comes_back_to_the_agent(
    open_office: OpenOffice, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    office = await transferring(open_office, monkeypatch)
    begun = watch(office, monkeypatch)
    statuses = ("busy", "no-answer", "failed", "canceled")
    async with asyncio.timeout(WITHIN_S), asyncio.TaskGroup() as tasks:
        placed = [
            tasks.create_task(
                carrier_of(office, dials=(status,)).place_call(LISTENS, deadline_s=WITHIN_S)
            )
            for status in statuses
        ]
        for _ in statuses:
            await begun.get()
        office.model.script = Script(agent=(NOBODY, NOBODY))
        for _ in statuses:
            runner = await begun.get()
            assert "nobody took the call" in str(runner._call._config.greeting)
            runner.feed(ev.StreamEnded(EndReason.AGENT_HUNG_UP))
    for log in (task.result() for task in placed):
        assert verbs(log) == ["Redirect", "Dial", "Connect", "Redirect", "Hangup"]
        assert (len(log.streams), is_clean(log)) == (2, True)
        await office.shelf.folder_of(log.call_sid, "record-2.json")
        assert [record["ended"] for record in records(tmp_path, log)] == [
            "transferred",
            "agent_hung_up",
        ]


async def test_a_stream_that_breaks_off_comes_back_twice_and_then_ends_in_an_apology(
    open_office: OpenOffice, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    office = await open_office()
    begun = watch(office, monkeypatch)
    async with asyncio.timeout(WITHIN_S), asyncio.TaskGroup() as tasks:
        placed = tasks.create_task(carrier_of(office).place_call(LISTENS, deadline_s=WITHIN_S))
        for _ in range(1 + MOST_AGAIN):
            (await begun.get()).feed(ev.StreamEnded(EndReason.CARRIER_LOST))
    log = placed.result()
    assert verbs(log) == ["Redirect", "Connect"] * MOST_AGAIN + ["Redirect", "Say", "Hangup"]
    assert log.verbs_after_stream[-2] == f"Say {APOLOGY}"
    assert (len(log.streams), begun.empty(), is_clean(log)) == (1 + MOST_AGAIN, True, True)
    await office.shelf.folder_of(log.call_sid, "record-3.json")
    assert [record["ended"] for record in records(tmp_path, log)] == ["carrier_lost"] * 3


FALLBACKS: dict[str, tuple[dict[str, str] | None, tuple[str, ...], list[str]]] = {
    "none": (None, (), ["Redirect", "Hangup"]),
    "words": ({"say": "Write to us."}, (), ["Redirect", "Say", "Hangup"]),
    "number": ({"number": COLLEAGUE}, ("completed",), ["Redirect", "Dial", "Hangup"]),
    "both": (
        {"say": "I connect you.", "number": COLLEAGUE},
        ("busy",),
        ["Redirect", "Say", "Dial", "Say", "Hangup"],
    ),
}


async def test_a_caller_whom_no_model_answers_gets_what_the_persona_says(
    open_office: OpenOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = await open_office(faults=Faults(refuse_status=401))
    for stem, (fallback, _, _) in FALLBACKS.items():
        give(office, monkeypatch, stem, fallback=fallback)
    logs = await all_of(
        [
            carrier_of(office, f"?bridge.persona={stem}", dials=dials).place_call(
                LISTENS, deadline_s=WITHIN_S
            )
            for stem, (_, dials, _) in FALLBACKS.items()
        ]
    )
    assert [verbs(log) for log in logs] == [expected for _, _, expected in FALLBACKS.values()]
    for log in logs:
        assert is_clean(log)
        assert len(log.heard_audio) > 0  # the packaged apology, before the stream was closed
        assert (await office.shelf.record_of(log.call_sid))["ended"] == "model_unreachable"


async def test_a_caller_who_has_hung_up_is_asked_nothing(open_office: OpenOffice) -> None:
    office = await open_office()
    log = await carrier_of(office).place_call(hangs_up(), deadline_s=WITHIN_S)
    assert (log.verbs_after_stream, log.ended_by) == ([], "caller")
    assert (await office.shelf.record_of(log.call_sid))["ended"] == "caller_hung_up"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], [f"Say {APOLOGY}", "Hangup"]),
        (["--say", "We are away.", "--dial", COLLEAGUE], ["Say We are away.", f"Dial {COLLEAGUE}"]),
    ],
    ids=["apology", "person"],
)
async def test_what_the_carrier_keeps_for_a_bridge_that_is_down_is_followed_like_ours(
    capsys: pytest.CaptureFixture[str], arguments: list[str], expected: list[str]
) -> None:
    assert main(["twiml", "fallback", *arguments]) == 0
    document = capsys.readouterr().out

    async def bin_(_request: web.Request) -> web.Response:
        return web.Response(text=document, content_type="text/xml")

    app = web.Application()
    app.router.add_post("/twiml/EH1", bin_)
    async with TestServer(app) as server:
        carrier = SimulatedCarrier(str(server.make_url("/twiml/EH1")))
        log = await carrier.place_call(LISTENS, deadline_s=WITHIN_S)
    assert log.verbs_after_stream == expected
    assert (is_clean(log), log.streams) == (True, [])
