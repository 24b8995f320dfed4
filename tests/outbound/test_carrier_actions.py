"""What a carrier can be asked for, by the official client against a stand-in of its API."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from fake_twilio import ACCOUNT, TOKEN, FakeTwilio

from voicebridge.outbound.carrier_actions import (
    CarrierActions,
    NewCall,
    NewMessage,
    RestError,
)
from voicebridge.outbound.rest import TwilioRest

CALL_ID = "CA" + "1" * 32
PERSON, OURS = "+15550100001", "+15550100002"
PAGE = "https://bridge.example.com/twilio/voice"
CALL = NewCall(to=PERSON, caller_id=OURS, voice_url=PAGE, status_url=PAGE)
MESSAGE = NewMessage(to=PERSON, sender=OURS, text="Quay 12 & more: 100 % Grüße")

Ask = Callable[[CarrierActions], Awaitable[object]]
REPEATABLE: dict[str, Ask] = {
    "hang_up": lambda carrier: carrier.hang_up(CALL_ID),
    "redirect": lambda carrier: carrier.redirect(CALL_ID, PAGE),
    "tell": lambda carrier: carrier.tell(CALL_ID, "Goodbye."),
}
ONCE: dict[str, Ask] = {
    "create_call": lambda carrier: carrier.create_call(CALL),
    "send_message": lambda carrier: carrier.send_message(MESSAGE),
}
ALL = {**REPEATABLE, **ONCE}

each_repeatable = pytest.mark.parametrize("ask", REPEATABLE.values(), ids=REPEATABLE)
each_once = pytest.mark.parametrize("ask", ONCE.values(), ids=ONCE)
each = pytest.mark.parametrize("ask", ALL.values(), ids=ALL)


@pytest.fixture
async def rest(carrier: FakeTwilio) -> AsyncIterator[TwilioRest]:
    client = TwilioRest(ACCOUNT, TOKEN, carrier.url)
    yield client
    await client.close()


async def test_each_request_is_as_the_api_wants_it(carrier: FakeTwilio, rest: TwilioRest) -> None:
    assert await rest.create_call(CALL) == "CA" + "0" * 31 + "1"
    assert await rest.send_message(MESSAGE) == "SM" + "0" * 31 + "1"
    await rest.hang_up(CALL_ID)
    assert await rest.redirect(CALL_ID, PAGE)
    assert await rest.tell(CALL_ID, "You & me\x0b<break/>")
    call, message, over, moved, told = carrier.asked
    assert "MachineDetection" not in call.form
    assert (message["To"], message["From"], message["Body"]) == (PERSON, OURS, MESSAGE.text)
    assert (over.about, over["Status"]) == ((CALL_ID,), "completed")
    assert (moved["Url"], moved["Method"]) == (PAGE, "POST")
    assert "<Say>You &amp; me &lt;break/&gt;</Say><Hangup />" in told["Twiml"]


async def test_a_messaging_service_can_be_the_sender(carrier: FakeTwilio, rest: TwilioRest) -> None:
    service = "MG" + "a" * 32
    await rest.send_message(NewMessage(to=PERSON, sender=service, text="Hello"))
    assert carrier.messages[0]["MessagingServiceSid"] == service
    assert "From" not in carrier.messages[0].form


async def test_an_answer_is_read_to_its_end(carrier: FakeTwilio, rest: TwilioRest) -> None:
    carrier.padding = 500_000
    assert await rest.create_call(CALL) == "CA" + "0" * 31 + "1"


@each_repeatable
@pytest.mark.parametrize("gone", [(404, 20404), (400, 21220)])
async def test_a_call_that_is_over_is_no_error(
    carrier: FakeTwilio, rest: TwilioRest, ask: Ask, gone: tuple[int, int]
) -> None:
    carrier.fail = gone
    assert not await ask(rest)
    assert carrier.attempts == 1


@each_repeatable
@pytest.mark.parametrize("fault", [(500, 20500), (503, 20503), "html", "cut"], ids=str)
async def test_what_changes_nothing_when_repeated_is_asked_for_again_once(
    carrier: FakeTwilio, rest: TwilioRest, ask: Ask, fault: tuple[int, int] | str
) -> None:
    carrier.fail, carrier.fail_times = fault, 1
    await ask(rest)
    assert (carrier.attempts, len(carrier.asked)) == (2, 1)
    carrier.fail_times = None
    with pytest.raises(RestError):
        await ask(rest)
    assert carrier.attempts == 4


@each_once
@pytest.mark.parametrize("fault", [(500, 20500), (503, 20503), "html", "cut", "half"], ids=str)
async def test_what_may_have_had_its_effect_is_never_repeated(
    carrier: FakeTwilio, rest: TwilioRest, ask: Ask, fault: tuple[int, int] | str
) -> None:
    carrier.fail = fault
    with pytest.raises(RestError) as caught:
        await ask(rest)
    assert caught.value.temporary
    assert carrier.attempts == 1


@each
async def test_too_many_requests_wait_as_long_as_the_carrier_says(
    carrier: FakeTwilio, rest: TwilioRest, ask: Ask
) -> None:
    carrier.fail, carrier.retry_after, carrier.fail_times = (429, 20429), "0", 1
    await ask(rest)
    assert (carrier.attempts, len(carrier.asked)) == (2, 1)


@pytest.mark.parametrize("wait", ["600", "Wed, 21 Oct 2026 07:28:00 GMT", "", "-1", "\u0661", None])
async def test_a_wait_that_no_caller_bears_is_told_instead(
    carrier: FakeTwilio, rest: TwilioRest, wait: str | None
) -> None:
    carrier.fail, carrier.retry_after = (429, 20429), wait
    with pytest.raises(RestError) as caught:
        await rest.create_call(CALL)
    assert (caught.value.status, caught.value.code, carrier.attempts) == (429, 20429, 1)
    assert caught.value.retry_after_s == (600 if wait == "600" else None)
    assert caught.value.temporary


@each
async def test_a_request_that_is_refused_is_not_repeated(
    carrier: FakeTwilio, rest: TwilioRest, ask: Ask
) -> None:
    carrier.fail = (400, 21211)
    with pytest.raises(RestError, match="refused") as caught:
        await ask(rest)
    assert (caught.value.status, caught.value.code) == (400, 21211)
    assert (caught.value.temporary, carrier.attempts) == (False, 1)


@each
async def test_an_answer_that_does_not_come_is_not_waited_for(
    carrier: FakeTwilio, rest: TwilioRest, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rest.hang_up("CA0")  # what is loaded on the first use is loaded now
    monkeypatch.setattr("voicebridge.outbound.rest.ANSWER_WITHIN_S", 0.2)
    carrier.fail = "slow"
    with pytest.raises(RestError, match=r"did not answer within 0\.2 s") as caught:
        await ask(rest)
    assert (caught.value.status, caught.value.temporary) == (None, True)


async def test_an_answer_that_says_nothing_is_an_error(
    carrier: FakeTwilio, rest: TwilioRest
) -> None:
    carrier.fail = "empty"
    with pytest.raises(RestError, match="cannot be read"):
        await rest.create_call(CALL)


async def test_who_was_closed_can_be_asked_again(carrier: FakeTwilio, rest: TwilioRest) -> None:
    await rest.hang_up(CALL_ID)
    await rest.close()
    await rest.hang_up(CALL_ID)
    assert carrier.ended == [CALL_ID, CALL_ID]


def test_the_stand_in_knows_nothing_of_the_bridge() -> None:
    source = (Path(__file__).parent / "fake_twilio.py").read_text()
    assert re.findall(r"^(?:from|import) (\S+)", source, re.MULTILINE) == [
        "__future__", "asyncio", "base64", "re", "collections.abc", "contextlib", "dataclasses",
        "xml.etree", "aiohttp",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        {"To": "5550100001", "From": OURS, "Body": "x"},
        {"To": PERSON, "From": OURS},
        {"To": PERSON, "From": OURS, "Body": "x", "Bdoy": "y"},
        {"To": PERSON, "Body": "x"},
        {"To": PERSON, "From": OURS, "Body": "x" * 1601},
    ],
    ids=["national number", "no text", "misspelt", "no sender", "too long"],
)
async def test_the_stand_in_notices_what_is_wrong(wrong: dict[str, str]) -> None:
    fake = FakeTwilio()
    async with fake.running(), aiohttp.ClientSession() as http:
        url = f"{fake.url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
        key = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        headers = {"Authorization": f"Basic {key}"}
        async with http.post(url, data=wrong, headers=headers) as response:
            assert response.status == 201
    assert len(fake.problems) == 1
