"""The built-in tools do what a telephone agent needs first."""

from __future__ import annotations

import json
from datetime import UTC, datetime, tzinfo

import pytest

from voicebridge.errors import ToolArgumentsInvalid, ToolFailed
from voicebridge.tools.builtin.hang_up import hang_up
from voicebridge.tools.builtin.opening_hours import opening_hours_tool
from voicebridge.tools.context import CallContext


class Practice:
    name = "Harbour Dental"
    time_zone = "America/New_York"

    def hours_on(self, weekday: str) -> tuple[str, str] | None:
        return {"friday": ("9:00", "16:00"), "saturday": ("9:00", "13:00")}.get(weekday)


def context(business: Practice | None = None, hung_up: list[str] | None = None) -> CallContext:
    reasons = [] if hung_up is None else hung_up
    return CallContext("c1", "+1", "+2", "desk", reasons.append, business)


def at(moment: datetime):
    def clock(zone: tzinfo) -> datetime:
        return moment.astimezone(zone)

    return clock


async def test_hours_of_a_named_day() -> None:
    output = await opening_hours_tool().invoke('{"day": "saturday"}', context(Practice()))
    assert json.loads(output) == {
        "day": "saturday", "open": True, "opens": "9:00", "closes": "13:00",
    }  # fmt: skip


async def test_a_closed_day() -> None:
    output = await opening_hours_tool().invoke('{"day": "sunday"}', context(Practice()))
    assert json.loads(output) == {"day": "sunday", "open": False, "opens": None, "closes": None}


@pytest.mark.parametrize(
    ("utc_hour", "day", "weekday"),
    [
        (3, "today", "friday"),  # Saturday in London is still Friday in New York
        (3, "tomorrow", "saturday"),
        (12, "today", "saturday"),
        (12, "tomorrow", "sunday"),
    ],
)
async def test_today_is_the_day_where_the_business_is(utc_hour, day, weekday) -> None:
    tool = opening_hours_tool(at(datetime(2030, 6, 1, utc_hour, tzinfo=UTC)))
    output = await tool.invoke(json.dumps({"day": day}), context(Practice()))
    assert json.loads(output)["day"] == weekday


async def test_the_clock_of_the_house_is_the_default() -> None:
    output = await opening_hours_tool().invoke('{"day": "today"}', context(Practice()))
    assert json.loads(output)["day"].endswith("day")


async def test_without_a_business_the_tool_fails_in_words_for_the_model() -> None:
    with pytest.raises(ToolFailed, match="not known"):
        await opening_hours_tool().invoke('{"day": "today"}', context())


async def test_a_day_that_is_none_is_refused() -> None:
    with pytest.raises(ToolArgumentsInvalid, match="'day' should be 'today', 'tomorrow'"):
        await opening_hours_tool().invoke('{"day": "someday"}', context(Practice()))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("", "the conversation is over"),
        ('{"reason": "caller said goodbye"}', "caller said goodbye"),
    ],
)
async def test_hanging_up_is_handed_to_the_call_with_its_reason(arguments, reason) -> None:
    reasons: list[str] = []
    output = await hang_up.invoke(arguments, context(hung_up=reasons))
    assert reasons == [reason]
    assert "heard the goodbye" in output


def test_the_model_is_told_to_say_goodbye_before_it_hangs_up() -> None:
    assert "Say goodbye to the caller first, in this same response" in hang_up.description
    assert hang_up.parameters["properties"].keys() == {"reason"}
    assert "required" not in hang_up.parameters
