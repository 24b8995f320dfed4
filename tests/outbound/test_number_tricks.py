"""Numbers that somebody might talk an agent into: nothing is dialled that is not allowed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fake_twilio import ACCOUNT, TOKEN, FakeTwilio

from voicebridge.errors import ToolArgumentsInvalid, ToolFailed
from voicebridge.outbound.callback_book import CallbackBook
from voicebridge.outbound.rest import TwilioRest
from voicebridge.outbound.schedule_callback import schedule_callback_tool
from voicebridge.outbound.send_sms import send_sms_tool
from voicebridge.personas.business import Business, Hours
from voicebridge.personas.destinations import Destination
from voicebridge.settings import Outbound
from voicebridge.tools.builtin.call_actions import CALL_ACTIONS
from voicebridge.tools.builtin.destinations import allowed_number
from voicebridge.tools.context import CallContext
from voicebridge.tools.line import NoLine
from voicebridge.tools.tool import Tool

OURS = "+12125550199"
ALLOWED = ("DE", "GB", "US", "+4314", "+881", "+900")
"""Generous, and with two prefixes that must not help: satellites, and no country's."""

NOON = datetime(2026, 7, 1, 15, 0, tzinfo=UTC)
HOURS = Hours(**dict.fromkeys(("wednesday", "thursday"), "0:00-24:00"))

TRICKS = [
    # premium rate, shared cost, personal, pagers, universal access, toll-free
    "+19005550100", "+1 900 555 0100", "+1 (900) 555-0100", "+1.900.555.0100", "+19765550100",
    "+449098790000", "+44 909 879 0000", "+448712345678", "+44 871 234 5678", "+448431234567",
    "+447612345678", "+447012345678", "+445512345678", "+448001111111", "+443031234567",
    "+4990012345678", "+49 900 1 234567", "+491805123456", "+49 180 5 123456", "+491371234567",
    "+4970012345678", "+4932212345678901", "+498001234567", "+18005551212", "+18885551212",
    "+18005550199", "+15005550006", "+491646123456",
    # countries and places that are not on the list
    "+18765550123", "+1 876 555 0123", "+1 809 555 0123", "+12645550123", "+14735550123",
    "+3212345678", "+33123456789", "+390612345678", "+79161234567", "+2251234567890",
    "+231770123456", "+37167123456", "+25261234567", "+6797712345", "+6753001234", "+43512345678",
    "+442481123456", "+441534123456", "+447797123456", "+441624123456",
    # satellites and numbers of no country
    "+881612345678", "+8816 1234 5678", "+881 8 1234567", "+870773111632", "+8821234567890",
    "+88312345678", "+8835100123456", "+979123456789", "+80012345678", "+80812345678",
    # emergency, short and internal numbers
    "112", "911", "999", "110", "+1911", "+49110", "+44999", "+1411", "12345", "#31#112", "0", "1",
    "+1 911", "*67", "*21*+493012345678#", "##002#",
    # forms that are not international
    "004930123456", "00 49 30 12345678", "0114930123456", "011 44 20 7946 0958", "02079460958",
    "030 12345678", "(030) 12345678", "2125550123", "1 212 555 0123", "49 30 12345678",
    "+0049 30 12345678", "++493012345678", "+ 49 30 12345678", "+", "+-49 30 12345678",
    # more than a number
    "+493012345678;ext=900", "+493012345678 ext 900", "+493012345678x900", "+493012345678,,1",
    "+493012345678w1", "+493012345678#1", "+493012345678;phone-context=+1900",
    "+493012345678;isub=1", "+493012345678?subject=x", "+493012345678&To=+19005550100",
    "+493012345678/+19005550100", "+493012345678, +19005550100", "+493012345678 or +442079460958",
    "+4930123\n45678\r\nTo: +19005550100", "+493012345678\n", "\n+493012345678",
    "+493012345678\x00",
    # other ways to name somebody
    "tel:+493012345678", "tel:+19005550100", "sip:+493012345678@example.com", "sips:a@b.example",
    "sip:19005550100@sip.example.com", "client:agent", "callto:+493012345678",
    "https://example.com/+493012345678", "mailto:a@example.com", "room-7", "queue:sales",
    "<Number>+493012345678</Number>", "</Number><Sip>sip:a@b.example</Sip>", "{{ caller.number }}",
    "dentist ", " dentist", "Dentist", "dentist;+19005550100", "caller;+19005550100", "CALLER",
    # letters and signs that look like digits or like nothing
    "+1-800-FLOWERS", "+49 30 ABCDEFGH", "+4930l2345678", "+493O12345678", "+49 dreissig",
    "\uff0b493012345678", "+\u0664\u0669\u0663\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667",
    "+4930\uff11\uff12\uff13\uff14\uff15\uff16", "+49\u200b3012345678", "+493012345678\u200e",
    "\u202e+493012345678", "+49\u00a030\u00a012345678", "+49\u201130\u201112345678",
    "+49\u00ad3012345678", "+4930\u0967\u0968\u0969\u096a\u096b\u096c", "+49\u20e330 12345678",
    "\U0001f4de+493012345678", "+\u2460\u2461\u2462\u2463\u2464\u2465\u2466\u2467\u2468",
    # lengths and numbers that nobody has
    "+49", "+493", "+4930", "+4912", "+4930123456789012345", "+49301234567890123456789012345678",
    "+" + "4" * 40, "+1" + "2" * 14, "+10005550100", "+12125550", "+121255501234", "+999123456789",
    "+491511234567", "+15550100001", "+1 555 010 0001", "", " ", "null", "None", "+4.9e11",
]  # fmt: skip


class DeafLine(NoLine):
    """A line that must not be asked to transfer anybody."""

    def __init__(self) -> None:
        self.numbers: list[str] = []

    def transfer(self, number: str) -> None:
        self.numbers.append(number)


@pytest.fixture
async def rest(carrier: FakeTwilio) -> AsyncIterator[TwilioRest]:
    client = TwilioRest(ACCOUNT, TOKEN, carrier.url)
    yield client
    await client.close()


def call(**changes: Any) -> CallContext:
    context = CallContext(
        "CA1",
        "+12125550123",
        OURS,
        "desk",
        hang_up=lambda reason: None,
        business=Business(name="Desk", time_zone="America/New_York", hours=HOURS),
        line=DeafLine(),
        destinations={"dentist": Destination(number="+12125550177")},
        recipients={"dentist": "+12125550177"},
        allowed_numbers=ALLOWED,
    )
    return replace(context, **changes)


def settings(folder: Path) -> Outbound:
    return Outbound(
        enabled=True,
        caller_id=OURS,
        opt_out_file=folder / "opt-out.txt",
        from_hour=0,
        until_hour=24,
        callbacks_file=folder / "callbacks.jsonl",
    )


async def refused(tool: Tool, context: CallContext, **arguments: str) -> str:
    """Use a tool and return why it did not work; empty if it did."""
    try:
        await tool.invoke(json.dumps(arguments), context)
    except (ToolFailed, ToolArgumentsInvalid) as error:
        return str(error)
    return ""


def test_there_are_more_than_a_hundred_tricks() -> None:
    assert len(set(TRICKS)) == len(TRICKS) > 150


@pytest.mark.parametrize("trick", TRICKS, ids=ascii)
async def test_a_trick_dials_nothing(
    carrier: FakeTwilio, rest: TwilioRest, tmp_path: Path, trick: str
) -> None:
    context, wanted = call(), settings(tmp_path)
    transfer = next(tool for tool in CALL_ACTIONS if tool.name == "transfer")
    sms = send_sms_tool(rest, OURS, None)
    callback = schedule_callback_tool(wanted, lambda: NOON)
    assert await refused(transfer, context, destination=trick)
    assert await refused(sms, context, text="Hello", to=trick)
    told = {"day": "tomorrow", "time": "10:00", "about": "x"}
    assert await refused(callback, context, **told, number=trick)
    assert (carrier.attempts, carrier.asked) == (0, [])
    assert isinstance(context.line, DeafLine)
    assert context.line.numbers == []
    assert wanted.callbacks_file is not None
    assert CallbackBook(wanted.callbacks_file, 9).waiting() == []


@pytest.mark.parametrize(
    ("written", "dialled"),
    [
        ("+493012345678", "+493012345678"),
        ("+49 30 1234-5678", "+493012345678"),
        ("+49 (0)30 12345678", "+493012345678"),
        ("+4915112345678", "+4915112345678"),
        ("+44 20 7946 0958", "+442079460958"),
        ("+1 (212) 555-0123", "+12125550123"),
        ("+43 1 4123456", "+4314123456"),
    ],
)
async def test_what_is_allowed_is_dialled_as_it_is_checked(
    carrier: FakeTwilio, rest: TwilioRest, tmp_path: Path, written: str, dialled: str
) -> None:
    context, wanted = call(), settings(tmp_path)
    transfer = next(tool for tool in CALL_ACTIONS if tool.name == "transfer")
    assert await refused(transfer, context, destination=written) == ""
    assert await refused(send_sms_tool(rest, OURS, None), context, text="Hello", to=written) == ""
    callback = schedule_callback_tool(wanted, lambda: NOON)
    told = {"day": "tomorrow", "time": "10:00", "about": "x"}
    assert await refused(callback, context, **told, number=written) == ""
    assert isinstance(context.line, DeafLine)
    assert wanted.callbacks_file is not None
    (promised,) = CallbackBook(wanted.callbacks_file, 9).waiting()
    assert [*context.line.numbers, carrier.messages[0]["To"], promised.number] == [dialled] * 3


@pytest.mark.parametrize("number", ["+493012345678", "+12125550123", "dentists"])
async def test_without_a_list_only_names_are_known(
    carrier: FakeTwilio, rest: TwilioRest, tmp_path: Path, number: str
) -> None:
    context = call(allowed_numbers=())
    transfer = next(tool for tool in CALL_ACTIONS if tool.name == "transfer")
    why = await refused(transfer, context, destination=number)
    assert "the destinations are: dentist" in why
    assert "caller, dentist" in await refused(
        send_sms_tool(rest, OURS, None), context, text="Hello", to=number
    )
    told = {"day": "tomorrow", "time": "10:00", "about": "x"}
    callback = schedule_callback_tool(settings(tmp_path), lambda: NOON)
    assert await refused(callback, context, **told, number=number)
    assert carrier.attempts == 0


@pytest.mark.parametrize(
    "caller",
    [
        "", "anonymous", "Restricted", "+266696687", "client:mallory", "sip:a@b.example",
        "+19005550100", "+448712345678", "+491805123456", "+881612345678", "+870773111632",
        "+18005551212", "911", "+4930\u0661\u0662\u0663\u0664\u0665\u0666",
    ],
)  # fmt: skip
async def test_who_calls_from_such_a_number_gets_no_message_and_no_call(
    carrier: FakeTwilio, rest: TwilioRest, tmp_path: Path, caller: str
) -> None:
    context = call(caller=caller)
    assert await refused(send_sms_tool(rest, OURS, None), context, text="Hello")
    told = {"day": "tomorrow", "time": "10:00", "about": "x"}
    callback = schedule_callback_tool(settings(tmp_path), lambda: NOON)
    assert await refused(callback, context, **told)
    assert carrier.attempts == 0


def test_a_refusal_says_what_to_do_and_does_not_repeat_the_number() -> None:
    with pytest.raises(ToolFailed, match=r"with \+ and the country's code"):
        allowed_number("030 12345678", ("DE",))
    with pytest.raises(ToolFailed) as caught:
        allowed_number("+33123456789", ("DE",))
    assert "3312" not in str(caught.value)
