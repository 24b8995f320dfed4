"""Calls that the bridge places, carried by the simulated carrier to whoever takes them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from front_calls import LISTENS, WITHIN_S, OpenOffice, carrier_of, hangs_up, is_clean, verbs
from pydantic import SecretStr
from server_office import CALLED, Office

from voicebridge.cli.dial import ask
from voicebridge.outbound.rest import NewCall
from voicebridge.personas.persona import Persona
from voicebridge.records.status import StatusBook
from voicebridge.rehearsal.live import Note
from voicebridge.rehearsal.phone_log import PhoneLog
from voicebridge.rehearsal.placed_call import PlacedCall
from voicebridge.rehearsal.script import Script
from voicebridge.rehearsal.steps import AgentStep
from voicebridge.settings import Outbound

API_TOKEN = "api-token"
PERSON = "+493012345678"
WISH = {"to": PERSON, "persona": "front-desk", "consent": True}
GREETING, MESSAGE = "Good day to you.", "This is the practice. Please call us back."

Open = Callable[..., Awaitable[Office]]


class Carrier:
    """A carrier that notes which calls it is to place."""

    def __init__(self) -> None:
        self.calls: list[NewCall] = []

    async def create_call(self, call: NewCall) -> str:
        self.calls.append(call)
        return f"CA{len(self.calls):032d}"

    async def close(self) -> None:
        return None


@pytest.fixture
def carrier(monkeypatch: pytest.MonkeyPatch) -> Carrier:
    stand_in = Carrier()
    monkeypatch.setattr("voicebridge.server.outbound.TwilioRest", lambda *_: stand_in)
    return stand_in


@pytest.fixture
def opened(open_office: OpenOffice, carrier: Carrier, tmp_path: Path, unused_tcp_port: int) -> Open:
    """Open an office that places calls, at any hour if nothing else is said."""

    async def open_(*replies: str, **changes: Any) -> Office:
        told = {
            "enabled": True,
            "caller_id": CALLED,
            "opt_out_file": tmp_path / "opt-out.txt",
            "from_hour": 0,
            "until_hour": 24,
            "voicemail": MESSAGE,
        }
        return await open_office(
            *replies,
            outbound=Outbound.model_validate(told | changes),
            api_token=SecretStr(API_TOKEN),
            twilio_account_sid="AC" + "0" * 32,
            public_url=f"http://127.0.0.1:{unused_tcp_port}",
            port=unused_tcp_port,
        )

    return open_


async def place(office: Office, **changes: Any) -> tuple[int, dict[str, Any]]:
    return await ask(office.bridge.url + "/calls", API_TOKEN, WISH | changes)


def taken(call: NewCall, call_sid: str, answered_by: str, after_ms: int) -> PlacedCall:
    """Have a call taken by a person or a machine."""
    return PlacedCall(
        call_sid=call_sid,
        to=call.to,
        caller_id=call.caller_id,
        url=call.voice_url,
        status_url=call.status_url,
        status_events=frozenset({"initiated", "ringing", "answered", "completed"}),
        machine_url=call.machine_url or "",
        answered_by=answered_by,
        detected_after_ms=after_ms,
    )


async def placed_and_taken(
    office: Office, carrier: Carrier, answered_by: str, after_ms: int, caller: Any = LISTENS
) -> tuple[PhoneLog, list[Note]]:
    """Place a call and carry it to its end."""
    status, answer = await place(office)
    assert status == 201
    notes: list[Note] = []
    taking = taken(carrier.calls[-1], answer["call_id"], answered_by, after_ms)
    simulated = carrier_of(office, on_event=notes.append)
    log = await simulated.place_call(caller, deadline_s=WITHIN_S, placed=taking)
    return log, notes


async def test_a_person_is_greeted_before_it_is_known_that_nobody_else_took_the_call(
    opened: Open, carrier: Carrier, tmp_path: Path
) -> None:
    office = await opened(GREETING)
    log, notes = await placed_and_taken(office, carrier, "human", 700, hangs_up(900))
    assert is_clean(log)
    (known,) = [note for note in notes if note.text == "answered by human"]
    assert log.first_agent_audio_at is not None
    assert log.first_agent_audio_at < known.at
    record = await office.shelf.record_of(log.call_sid)
    assert (record["ended"], record["caller"], record["called"]) == (
        "caller_hung_up",
        PERSON,
        CALLED,
    )
    assert [spoken["text"] for spoken in record["spoken"]] == [GREETING]
    kept = StatusBook(tmp_path).of(log.call_sid)
    assert [line["CallStatus"] for line in kept if "CallStatus" in line] == [
        "initiated",
        "ringing",
        "in-progress",
        "completed",
    ]
    assert [line["AnsweredBy"] for line in kept if "AnsweredBy" in line] == ["human"]


async def test_a_machine_gets_the_message_after_its_beep_and_the_call_ends(
    opened: Open, carrier: Carrier
) -> None:
    office = await opened(GREETING, MESSAGE)
    log, notes = await placed_and_taken(office, carrier, "machine_end_beep", 600)
    assert is_clean(log)
    assert verbs(log) == ["Redirect", "Hangup"]
    (beep,) = [note for note in notes if note.text == "answered by machine_end_beep"]
    record = await office.shelf.record_of(log.call_sid)
    assert record["ended"] == "voicemail"
    greeting, message = record["spoken"]
    assert message["text"] == MESSAGE
    assert message["heard_ms"] == len(MESSAGE.split()) * 200
    # All of the message was played after the beep, whatever was left of the greeting.
    assert log.played[-1].carrier_ms >= log.carrier_ms_of(beep.at)
    assert GREETING.startswith(greeting["text"])  # as much of it as was heard before the beep
    assert [words for words in office.model.served[0].told if MESSAGE in words]


async def test_no_rule_lets_a_call_through_that_it_forbids(
    opened: Open, carrier: Carrier, tmp_path: Path
) -> None:
    there = datetime.now(UTC).astimezone(ZoneInfo("Europe/Berlin")).hour
    early = {"from_hour": 0, "until_hour": 1} if there >= 12 else {"from_hour": 22}
    office = await opened(**early)
    assert await _rule(office) == (403, "quiet_hours")
    assert await _rule(office, consent=False) == (403, "consent")
    assert await _rule(office, to="+4930") == (422, "number")
    (tmp_path / "opt-out.txt").write_text(f"{PERSON}\n")
    assert await _rule(office) == (403, "opt_out")
    assert carrier.calls == []


async def test_no_more_calls_are_placed_within_a_minute_than_are_allowed(
    opened: Open, carrier: Carrier
) -> None:
    office = await opened(calls_per_minute=2)
    assert [(await place(office))[0] for _ in range(4)] == [201, 201, 429, 429]
    assert len(carrier.calls) == 2


async def _rule(office: Office, **changes: Any) -> tuple[int, str]:
    status, answer = await place(office, **changes)
    return status, answer["error"]


async def test_a_person_who_asks_not_to_be_called_any_more_is_not(
    opened: Open, carrier: Carrier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = await opened()
    told = {"name": "Desk", "instructions": "Help.", "greeting": "Greet.",
            "tools": ["opt_out", "hang_up"]}  # fmt: skip
    book = office.bridge.switchboard.personas
    monkeypatch.setitem(book._personas, "front-desk", Persona.model_validate(told))
    noted = AgentStep(say="I note that.", call="opt_out")
    goodbye = AgentStep(say="Goodbye.", call="hang_up")
    office.model.script = Script(agent=(noted, goodbye), standing=goodbye)
    log, _ = await placed_and_taken(office, carrier, "human", 100)
    assert is_clean(log)
    assert (await office.shelf.record_of(log.call_sid))["ended"] == "agent_hung_up"
    assert (tmp_path / "opt-out.txt").read_text() == f"{PERSON}\n"
    assert await _rule(office) == (403, "opt_out")
    assert len(carrier.calls) == 1


async def test_the_statuses_of_a_call_are_kept_once_however_often_they_are_told(
    opened: Open, carrier: Carrier, tmp_path: Path
) -> None:
    office = await opened(GREETING)
    log, _ = await placed_and_taken(office, carrier, "human", 100, hangs_up())
    file = tmp_path / log.call_sid / "status.jsonl"
    before = [json.loads(line) for line in file.read_text().splitlines()]
    statuses = [line for line in before if "CallStatus" in line]
    assert len(statuses) == 4
    for line in statuses * 2:
        number = line.get("SequenceNumber")
        told = {"CallStatus": line["CallStatus"]} | ({"SequenceNumber": number} if number else {})
        assert (await office.post("/twilio/status", CallSid=log.call_sid, **told))[0] == 204
    assert [json.loads(line) for line in file.read_text().splitlines()] == before
