"""The carrier's REST API as the rehearsal has it: strict, and with colleagues behind it."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import aiohttp
import pytest
from phone_small_bridge import SmallBridge, serving

from voicebridge.rehearsal.account import Account
from voicebridge.rehearsal.behaviour import ScriptedCaller
from voicebridge.rehearsal.carrier import ACCOUNT_SID, SimulatedCarrier
from voicebridge.rehearsal.colleague import ColleagueManner
from voicebridge.rehearsal.phone_log import PhoneLog

TOKEN = "a token of no account"
PERSON, COLLEAGUE, OURS = "+15550100033", "+15550100020", "+15550100002"
CALL = {"To": COLLEAGUE, "From": OURS, "Url": "http://127.0.0.1:1/x"}
MESSAGE = {"To": PERSON, "From": OURS, "Body": "Hello"}


def an_account(**options: Any) -> Account:
    return Account(account_sid=ACCOUNT_SID, auth_token=TOKEN, **options)


async def post(
    account: Account, path: str, form: Any, *, token: str = TOKEN
) -> tuple[int, dict[str, Any]]:
    url = f"{account.url}/2010-04-01/Accounts/{ACCOUNT_SID}/{path}"
    key = base64.b64encode(f"{ACCOUNT_SID}:{token}".encode()).decode()
    async with (
        asyncio.timeout(5),
        aiohttp.ClientSession(headers={"Authorization": f"Basic {key}"}) as http,
        http.post(url, data=form) as answer,
    ):
        content: dict[str, Any] = await answer.json()
        return answer.status, content


async def test_a_message_is_taken_with_its_fields() -> None:
    async with an_account().open() as account:
        status, answer = await post(account, "Messages.json", MESSAGE)
        service = {"To": PERSON, "MessagingServiceSid": "MG" + "0" * 32, "Body": "Hello"}
        assert (await post(account, "Messages.json", service))[0] == 201
    assert (status, answer["status"], answer["sid"][:2]) == (201, "queued", "SM")
    assert account.requests[0].fields == MESSAGE
    assert account.errors == []


@pytest.mark.parametrize(
    ("path", "form", "code"),
    [
        ("Messages.json", {**MESSAGE, "To": "12345"}, 21211),
        ("Messages.json", {**MESSAGE, "From": "Harbour"}, 21212),
        ("Messages.json", {**MESSAGE, "Body": ""}, 21617),
        ("Messages.json", {**MESSAGE, "Body": "x" * 1601}, 21617),
        ("Messages.json", {"To": PERSON, "Body": "x"}, 21205),
        ("Messages.json", {"To": PERSON, "From": OURS}, 21201),
        ("Messages.json", {**MESSAGE, "MessagingServiceSid": "MG1"}, 21205),
        ("Messages.json", {**MESSAGE, "body": "x"}, 20001),
        ("Messages.json", [*MESSAGE.items(), ("To", COLLEAGUE)], 20001),
        ("Calls.json", {**CALL, "Twiml": "<Response/>"}, 21205),
        ("Calls.json", {**CALL, "Url": "ftp://x"}, 21205),
        ("Calls.json", {**CALL, "StatusCallback": "x"}, 21205),
        ("Calls.json", {**CALL, "StatusCallbackEvent": "finished"}, 21626),
        ("Calls.json", {**CALL, "AsyncAmd": "True"}, 20001),
        ("Calls.json", {"To": COLLEAGUE, "From": OURS, "Twiml": "x" * 4001}, 21205),
        ("Calls/CA1.json", {"Status": "over"}, 21220),
    ],
    ids=lambda value: str(value)[:50],
)
async def test_what_the_carrier_would_refuse_is_refused_and_told(
    path: str, form: Any, code: int
) -> None:
    async with an_account().open() as account:
        status, answer = await post(account, path, form)
    assert (status, answer["code"]) == (400, code)
    assert account.requests == []
    assert account.errors[0].startswith(f"{code}: POST ")


async def test_a_wrong_key_opens_nothing() -> None:
    async with an_account().open() as account:
        status, answer = await post(account, "Messages.json", MESSAGE, token="another")
    assert (status, answer["code"]) == (401, 20003)
    assert account.requests == []


async def test_a_call_that_is_not_there_cannot_be_changed() -> None:
    async with an_account().open() as account:
        status, answer = await post(account, "Calls/CA1.json", {"Status": "completed"})
    assert (status, answer["code"]) == (404, 20404)


SUMMARY = "<Gather numDigits='1' action='/key'><Say>A toothache. Press 1.</Say></Gather><Hangup/>"
ROOM = (
    "<Dial><Conference startConferenceOnEnter='true' endConferenceOnExit='true' beep='false'>"
    "room</Conference></Dial>"
)


async def asked(bridge: SmallBridge, manner: ColleagueManner) -> Account:
    """Call a colleague who is told a summary."""
    async with an_account(manner=manner).open() as account:
        form = [
            ("To", COLLEAGUE),
            ("From", OURS),
            ("Url", f"http://{bridge.address}/colleague"),
            ("StatusCallback", f"http://{bridge.address}/status"),
            *(("StatusCallbackEvent", event) for event in ("ringing", "answered", "completed")),
        ]
        assert (await post(account, "Calls.json", form))[0] == 201
        async with asyncio.timeout(10):
            await account.colleagues[0].over.wait()
    return account


def statuses(bridge: SmallBridge) -> list[str]:
    return [form["CallStatus"] for request, form in bridge.posts if request.path == "/status"]


@pytest.mark.parametrize(
    ("manner", "keys", "told"),
    [
        ("declines", ["2"], ["ringing", "in-progress", "completed"]),
        ("ignores", [], ["ringing", "in-progress", "completed"]),
        ("busy", [], ["ringing", "busy"]),
        ("no-answer", [], ["ringing", "no-answer"]),
    ],
)
async def test_a_colleague_who_does_not_take_the_call_is_told_of_as_he_is(
    manner: ColleagueManner, keys: list[str], told: list[str]
) -> None:
    more = {"/colleague": SUMMARY, "/key": "<Hangup/>", "/status": ""}
    async with serving(SmallBridge(more=more)) as bridge:
        account = await asked(bridge, manner)
    assert statuses(bridge) == told
    assert [form["Digits"] for request, form in bridge.posts if request.path == "/key"] == keys
    assert account.colleagues[0].log.errors == []


async def test_a_colleague_and_the_caller_meet_in_the_room_and_he_ends_it() -> None:
    more = {"/colleague": SUMMARY, "/key": ROOM, "/status": "", "/done": "<Hangup/>"}
    more["/caller"] = ROOM.replace("<Dial>", "<Dial action='/done'>")
    async with serving(SmallBridge(more=more)) as bridge, an_account().open() as account:
        form = {**CALL, "Url": f"http://{bridge.address}/colleague"}
        assert (await post(account, "Calls.json", form))[0] == 201
        carrier = SimulatedCarrier(
            f"http://{bridge.address}/caller", auth_token=TOKEN, rooms=account.rooms
        )
        log = await carrier.place_call(ScriptedCaller([]), deadline_s=10)
    assert log.verbs_after_stream == ["Dial conference room", "Hangup"]
    done = next(form for request, form in bridge.posts if request.path == "/done")
    assert done["DialCallStatus"] == "answered"
    heard = account.colleagues[0].log.verbs_after_stream
    assert heard == ["Gather A toothache. Press 1.", "Dial conference room"]


async def test_a_colleague_who_is_rung_off_before_he_answers_was_never_there() -> None:
    more = {"/colleague": SUMMARY, "/status": ""}
    async with serving(SmallBridge(more=more)) as bridge, an_account().open() as account:
        status_url = f"http://{bridge.address}/status"
        form = {**CALL, "StatusCallback": status_url, "StatusCallbackEvent": "completed"}
        _, answer = await post(account, "Calls.json", form)
        await post(account, f"Calls/{answer['sid']}.json", {"Status": "completed"})
        async with asyncio.timeout(10):
            await account.colleagues[0].over.wait()
    assert statuses(bridge) == ["canceled"]
    assert account.colleagues[0].log.documents == []


async def test_a_colleague_is_rung_off_after_a_last_word() -> None:
    more = {"/colleague": SUMMARY, "/key": ROOM, "/status": ""}
    async with serving(SmallBridge(more=more)) as bridge, an_account().open() as account:
        form = {**CALL, "Url": f"http://{bridge.address}/colleague"}
        _, answer = await post(account, "Calls.json", form)
        last = "<Response><Say>The caller has hung up.</Say><Hangup/></Response>"
        status, _ = await post(account, f"Calls/{answer['sid']}.json", {"Twiml": last})
        assert status == 200
        again, _ = await post(account, "Calls/CA2.json", {"Twiml": last})
        assert again == 404
    assert "Say The caller has hung up." in account.colleagues[0].log.verbs_after_stream


async def test_a_call_the_bridge_asks_for_is_carried_with_its_callbacks() -> None:
    async with serving(SmallBridge(more={"/status": "", "/amd": ""})) as bridge:
        base = f"http://{bridge.address}"
        form = [
            *(("To", PERSON), ("From", OURS), ("Url", base + "/voice"), ("Method", "POST")),
            *(("StatusCallback", base + "/status"), ("MachineDetection", "DetectMessageEnd")),
            *(("AsyncAmd", "true"), ("AsyncAmdStatusCallback", base + "/amd")),
            *(("StatusCallbackEvent", event) for event in ("initiated", "answered", "completed")),
        ]
        async with an_account(expects=PERSON).open() as account:
            _, answer = await post(account, "Calls.json", form)
            placed = account.placed.get_nowait()
            carrier = SimulatedCarrier(base + "/never", auth_token=TOKEN)
            log = await carrier.place_call(ScriptedCaller([]), deadline_s=5, placed=placed)
    assert isinstance(log, PhoneLog)
    assert log.call_sid == answer["sid"]
    assert statuses(bridge) == ["initiated", "in-progress", "completed"]
    (voice,) = [told for request, told in bridge.posts if request.path == "/voice"]
    assert (voice["To"], voice["From"], voice["Direction"]) == (PERSON, OURS, "outbound-api")
    assert account.colleagues == []
