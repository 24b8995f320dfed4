"""Warm transfers and messages in whole calls: sockets on all sides, and the carrier's API."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import pytest

from voicebridge.errors import ConfigError
from voicebridge.outbound.callback_book import Callback, CallbackBook
from voicebridge.rehearsal.script import Script
from voicebridge.rehearsal.steps import AgentStep
from voicebridge.server.running import load_switchboard, running_bridge
from voicebridge.settings import load_settings

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "rehearsal"))
sys.path.insert(0, str(Path(__file__).parent.parent / "outbound"))

from fake_twilio import Asked, FakeTwilio
from practice import COLLEAGUE, DESK, TRANSFER, environment, written
from server_office import AUTH_TOKEN, CALLED, CALLER, Line, Office, Shelf, WatchedModel

SMS = AgentStep(call="send_sms", arguments={"text": "Quay 12.\u200b"})


class Practice:
    """An office whose carrier can be asked for more than streams."""

    def __init__(self, office: Office, twilio: FakeTwilio) -> None:
        self.office, self.twilio = office, twilio

    async def colleague(self, **form: str) -> ElementTree.Element:
        """Ask what the colleague who was called is to hear, as the carrier does."""
        call = await self.twilio.until("create_call")
        form = {"CallSid": COLLEAGUE, "From": CALLED, "To": call["To"], **form}
        status, document = await self.office.post(call["Url"], **form)
        assert status == 200
        return ElementTree.fromstring(document)

    async def goes(self, status: str) -> None:
        """Tell how the colleague's call goes."""
        call = await self.twilio.until("create_call")
        code, _ = await self.office.post(
            call["StatusCallback"], CallSid=COLLEAGUE, CallStatus=status
        )
        assert code == 204

    async def asks(self, line: Line) -> Asked:
        """Have the caller speak, so that the agent does its next step, and a call is placed."""
        await line.is_answered()
        return await self.twilio.until("create_call")

    async def steps(self, line: Line) -> list[str]:
        """Return how the colleague's call went, as the record tells it."""
        await self.office.shelf.record_of(line.call_id)
        folder = await self.office.shelf.folder_of(line.call_id, "status.jsonl")
        lines = (folder / "status.jsonl").read_text().splitlines()
        told = [json.loads(text) for text in lines]
        return [one["CallStatus"] for one in told if one["about"] == "transfer"]


@pytest.fixture
async def twilio() -> AsyncIterator[FakeTwilio]:
    fake = FakeTwilio(token=AUTH_TOKEN)
    async with fake.running():
        yield fake
    assert fake.problems == []


@pytest.fixture
async def practice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, twilio: FakeTwilio, request: Any
) -> AsyncIterator[Practice]:
    """A practice whose agent says hello and then goes by the steps of the test's parameter."""
    steps: tuple[AgentStep, ...] = request.param
    shelf = Shelf(tmp_path / "calls")
    monkeypatch.setattr("voicebridge.server.switchboard.RecordStore", lambda _: shelf)
    config = written(tmp_path, twilio.url, sms_from=CALLED)
    async with AsyncExitStack() as stack:
        model = WatchedModel()
        model.script = Script(agent=(AgentStep(say="Hello."), *steps))
        await stack.enter_async_context(model)
        switchboard = load_switchboard(load_settings(config, environment(model.url)))
        bridge = await stack.enter_async_context(running_bridge(switchboard))
        yield Practice(Office(bridge, model, shelf), twilio)


def conference_of(document: ElementTree.Element) -> ElementTree.Element:
    conference = document.find("Dial/Conference")
    assert conference is not None
    assert conference.attrib == {
        "startConferenceOnEnter": "true",
        "endConferenceOnExit": "true",
        "beep": "false",
    }
    return conference


TO_THE_DENTIST = pytest.mark.parametrize(
    "practice",
    [(TRANSFER, AgentStep(say="I connect you."), AgentStep(say="What else?"))],
    indirect=True,
    ids=[""],
)
BY_MESSAGE = pytest.mark.parametrize(
    "practice",
    [(SMS, AgentStep(say="Shall I?"), SMS, AgentStep(say="Done."))],
    indirect=True,
    ids=[""],
)


@TO_THE_DENTIST
async def test_a_colleague_is_told_takes_the_call_and_meets_the_caller(practice: Practice) -> None:
    office = practice.office
    async with office.call() as line:
        call = await practice.asks(line)
        assert (call["To"], call["From"], call["Timeout"]) == ("+15550100020", CALLED, "12")
        assert parse_qs(urlsplit(call["Url"]).query)["bridge.call"] == [line.call_id]
        for status in ("initiated", "ringing", "in-progress"):
            await practice.goes(status)
        await line.is_answered()  # the agent has not left the caller
        document = await practice.colleague(CallStatus="in-progress")
        assert [verb.tag for verb in document] == ["Gather", "Hangup"]
        gather = document[0]
        assert gather.attrib == {
            "numDigits": "1", "timeout": "8", "action": call["Url"], "method": "POST"
        }  # fmt: skip
        words = "Anna <Berg> & a tooth ache. Press 1 to take the call."
        assert [(verb.tag, verb.text) for verb in gather] == [("Say", words)]
        waits_in = conference_of(await practice.colleague(Digits="1"))
        await line.until_closed()
        record = await office.ended(line)
        after = ElementTree.fromstring(await office.after_stream(line))
        assert conference_of(after).text == waits_in.text == f"call-{line.call_id}"
        code, done = await office.post(
            after[0].attrib["action"], CallSid=line.call_id, DialCallStatus="answered"
        )
        assert (code, "<Hangup" in done) == (200, True)
        await practice.goes("completed")
    assert record["ended"] == "transferred"
    (tool,) = record["tools"]
    assert (tool["name"], tool["ok"]) == ("transfer", True)
    assert "dentist takes the call" in tool["output"]
    assert record["spoken"][-1]["text"] in {"I connect you.", "What else?"}
    assert record["spoken"][-1]["unheard"] == ""
    assert await practice.steps(line) == [
        "initiated", "ringing", "in-progress", "taken", "completed",
    ]  # fmt: skip
    assert [one.what for one in practice.twilio.asked] == ["create_call"]


@TO_THE_DENTIST
@pytest.mark.parametrize("how", ["busy", "no-answer", "key 2", "hangs up"])
async def test_a_colleague_who_does_not_take_the_call_leaves_the_caller_to_the_agent(
    practice: Practice, how: str
) -> None:
    office = practice.office
    async with office.call() as line:
        await practice.asks(line)
        if how == "key 2":
            assert [verb.tag for verb in await practice.colleague(Digits="2")] == ["Hangup"]
        else:
            await practice.goes("completed" if how == "hangs up" else how)
        await line.is_answered()
        await line.hang_up()
        record = await office.ended(line)
    (tool,) = record["tools"]
    why = {"busy": "busy", "no-answer": "no answer"}.get(how, "declined")
    assert (tool["ok"], f"dentist did not take the call: {why}" in tool["output"]) == (False, True)
    assert record["ended"] == "caller_hung_up"
    assert [verb.tag for verb in await practice.colleague()] == ["Say", "Hangup"]


@TO_THE_DENTIST
async def test_a_caller_who_hangs_up_is_not_waited_for(practice: Practice) -> None:
    async with practice.office.call() as line:
        await practice.asks(line)
        await practice.goes("ringing")
        await line.hang_up()
        over = await practice.twilio.until("change_call")
        await practice.office.ended(line)
    assert (over.about, over["Status"]) == ((COLLEAGUE,), "completed")


@TO_THE_DENTIST
async def test_a_caller_whose_colleague_is_gone_comes_back_to_the_agent(practice: Practice) -> None:
    office = practice.office
    async with office.call() as line:
        await practice.asks(line)
        await practice.colleague(Digits="1")
        await line.until_closed()
        await practice.goes("completed")
        await office.ended(line)
        after = ElementTree.fromstring(await office.after_stream(line))
    assert [verb.tag for verb in after] == ["Connect", "Redirect"]


@TO_THE_DENTIST
async def test_a_caller_who_misses_the_colleague_is_fetched_back(practice: Practice) -> None:
    office = practice.office
    async with office.call() as line:
        await practice.asks(line)
        await practice.colleague(Digits="1")
        await line.until_closed()
        await office.ended(line)
        after = ElementTree.fromstring(await office.after_stream(line))
        await practice.goes("completed")
        moved = await practice.twilio.until("change_call")
        assert (moved.about, moved["Url"]) == ((line.call_id,), after[0].attrib["action"])
        _, back = await office.post(moved["Url"], CallSid=line.call_id, From=CALLER, To=CALLED)
    assert [verb.tag for verb in ElementTree.fromstring(back)] == ["Connect", "Redirect"]


@BY_MESSAGE
async def test_a_message_is_sent_once_the_caller_has_agreed(practice: Practice) -> None:
    office = practice.office
    async with office.call() as line:
        await line.is_answered()
        assert practice.twilio.attempts == 0
        await line.is_answered()
        message = await practice.twilio.until("send_message")
        await line.is_answered()
        await line.hang_up()
        record = await office.ended(line)
    assert message.form == {"To": [CALLER], "From": [CALLED], "Body": ["Quay 12."]}
    asked, sent = record["tools"]
    assert (asked["ok"], sent["ok"]) == (False, True)
    assert json.loads(sent["output"]) == {"sent_to": "caller"}
    assert len(practice.twilio.asked) == 1


async def test_a_promised_call_is_placed_by_a_bridge_that_was_down_and_by_no_other(
    tmp_path: Path, twilio: FakeTwilio
) -> None:
    config = written(
        tmp_path,
        twilio.url,
        DESK,
        sms_from=CALLED,
        enabled=True,
        caller_id=CALLED,
        opt_out_file=str(tmp_path / "opt-out.txt"),
        callbacks_file=str(tmp_path / "callbacks.jsonl"),
        from_hour=0,
        until_hour=24,
    )
    at = datetime.now(UTC) - timedelta(minutes=1)
    promised = Callback(
        number="+12125550123", at=at, persona="desk", about="A & B", promised_in="CA1"
    )
    CallbackBook(tmp_path / "callbacks.jsonl", 2).add(promised)
    environ = environment() | {
        "VOICEBRIDGE_API_TOKEN": "t",
        "VOICEBRIDGE_PUBLIC_URL": "https://bridge.example.com",
    }
    async with AsyncExitStack() as stack:
        for _ in range(2):
            switchboard = load_switchboard(load_settings(config, environ))
            await stack.enter_async_context(running_bridge(switchboard))
        call = await twilio.until("create_call")
    url = urlsplit(call["Url"])
    assert (call["To"], call["From"], url.path) == ("+12125550123", CALLED, "/twilio/voice")
    assert parse_qs(url.query) == {"callback_about": ["A & B"], "bridge.persona": ["desk"]}
    assert twilio.attempts == 1


@pytest.mark.parametrize("name", ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"])
@pytest.mark.parametrize(
    ("persona", "key"),
    [
        (DESK.replace("[transfer, send_sms]", "[transfer]"), "destinations.dentist.mode"),
        (DESK.replace(", mode: warm", ""), "tools"),
    ],
    ids=["warm transfer", "send_sms"],
)
def test_without_its_keys_such_a_persona_is_refused_at_load(
    tmp_path: Path, name: str, persona: str, key: str
) -> None:
    config = written(tmp_path, "https://api.twilio.com", persona, sms_from=CALLED)
    environ = environment() | {name: ""}
    with pytest.raises(ConfigError) as caught:
        load_switchboard(load_settings(config, environ))
    assert (caught.value.key, name in caught.value.message) == (key, True)
    load_switchboard(load_settings(config, environment()))


def test_without_a_sender_no_persona_writes_messages(tmp_path: Path) -> None:
    config = written(tmp_path, "https://api.twilio.com")
    with pytest.raises(ConfigError, match=r"set outbound\.sms_from"):
        load_switchboard(load_settings(config, environment()))
