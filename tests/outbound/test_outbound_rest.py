"""The official client against a stand-in of the carrier's API, in good and bad weather."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fake_twilio import ACCOUNT, TOKEN, FakeTwilio

from voicebridge.outbound.rest import NewCall, RestError, TwilioRest

CALL = NewCall(
    to="+15550100001",
    caller_id="+15550100002",
    voice_url="https://bridge.example.com/twilio/voice?bridge.persona=x",
    status_url="https://bridge.example.com/twilio/status",
    machine_url="https://bridge.example.com/twilio/amd",
)


@pytest.fixture
async def rest(carrier: FakeTwilio) -> AsyncIterator[TwilioRest]:
    client = TwilioRest(ACCOUNT, TOKEN, carrier.url)
    yield client
    await client.close()


async def test_a_call_is_placed_with_all_that_it_needs(
    carrier: FakeTwilio, rest: TwilioRest
) -> None:
    assert await rest.create_call(CALL) == "CA" + "0" * 31 + "1"
    (told,) = carrier.calls
    assert told["To"] == ["+15550100001"]
    assert told["From"] == ["+15550100002"]
    assert told["Url"] == [CALL.voice_url]
    assert told["StatusCallbackEvent"] == ["initiated", "ringing", "answered", "completed"]
    assert told["MachineDetection"] == ["DetectMessageEnd"]
    assert told["AsyncAmd"] == ["true"]


async def test_a_call_is_ended(carrier: FakeTwilio, rest: TwilioRest) -> None:
    await rest.hang_up("CA1")
    assert carrier.ended == ["CA1"]


@pytest.mark.parametrize("fault", [(404, 20404), (400, 21220)])
async def test_to_end_a_call_that_has_ended_is_no_error(
    carrier: FakeTwilio, rest: TwilioRest, fault: tuple[int, int]
) -> None:
    carrier.fail = fault
    await rest.hang_up("CA1")


@pytest.mark.parametrize(
    ("fault", "status", "code", "temporary"),
    [
        ((400, 21211), 400, 21211, False),
        ((403, 13227), 403, 13227, False),
        ((404, 20404), 404, 20404, False),
        ((429, 20429), 429, 20429, True),
        ((500, 20500), 500, 20500, True),
        ((503, 20503), 503, 20503, True),
        ("slow", None, None, True),
        ("cut", None, None, True),
        ("html", 502, None, True),
    ],
    ids=str,
)
async def test_what_goes_wrong_is_told_in_our_words_and_not_tried_again(
    carrier: FakeTwilio,
    rest: TwilioRest,
    monkeypatch: pytest.MonkeyPatch,
    fault: tuple[int, int] | str,
    status: int | None,
    code: int | None,
    temporary: bool,
) -> None:
    monkeypatch.setattr("voicebridge.outbound.rest.ANSWER_WITHIN_S", 0.3)
    carrier.fail = fault
    with pytest.raises(RestError) as caught:
        await rest.create_call(CALL)
    assert (caught.value.code, caught.value.temporary) == (code, temporary)
    assert caught.value.status == status
    assert carrier.calls == []
    assert TOKEN not in str(caught.value)


async def test_a_wrong_key_is_told_and_not_shown(carrier: FakeTwilio) -> None:
    client = TwilioRest(ACCOUNT, "wrong-token", carrier.url)
    with pytest.raises(RestError) as caught:
        await client.hang_up("CA1")
    assert caught.value.status == 401
    assert "wrong-token" not in repr(client) + str(caught.value)
    await client.close()


async def test_where_nobody_listens_the_carrier_cannot_be_reached() -> None:
    nobody = FakeTwilio()
    nobody.url = "http://127.0.0.1:1"
    client = TwilioRest(ACCOUNT, TOKEN, nobody.url)
    with pytest.raises(RestError, match="cannot be reached"):
        await client.create_call(CALL)
    await client.close()
