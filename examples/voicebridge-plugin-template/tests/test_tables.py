"""The tools, as a call would use them."""

from __future__ import annotations

import json

import pytest
from voicebridge_plugin_template import TOOLS
from voicebridge_plugin_template.tables import book_table, bookings, free_tables

from voicebridge.errors import ToolArgumentsInvalid, ToolFailed
from voicebridge.tools.context import CallContext

ARGUMENTS = '{"day": "2030-05-01", "at": "20:00", "name": "Ann"}'


def call(caller: str = "+15550100001") -> CallContext:
    return CallContext(
        call_id="c1",
        caller=caller,
        called="+15550100002",
        persona="restaurant",
        hang_up=lambda reason: None,
    )


@pytest.fixture(autouse=True)
def no_bookings():
    yield
    bookings._taken.clear()


async def test_a_table_that_is_booked_is_free_no_more():
    before = await free_tables.invoke('{"day": "2030-05-01"}', call())
    booked = await book_table.invoke(ARGUMENTS, call())
    after = await free_tables.invoke('{"day": "2030-05-01"}', call())
    assert json.loads(before) == ["18:00", "20:00"]
    assert json.loads(booked) == {"booked": "01 May, 20:00", "for": "Ann"}
    assert json.loads(after) == ["18:00"]


async def test_a_taken_table_is_told_in_words_for_the_caller():
    await book_table.invoke(ARGUMENTS, call("+15550100007"))
    with pytest.raises(ToolFailed, match="just been taken"):
        await book_table.invoke(ARGUMENTS, call())


async def test_a_booking_that_is_made_twice_is_one():
    assert await book_table.invoke(ARGUMENTS, call()) == await book_table.invoke(ARGUMENTS, call())


@pytest.mark.parametrize("wrong", ['{"day": "soon"}', '{"day": "2030-05-01", "seats": 9}'])
async def test_what_the_model_may_not_pass_is_refused(wrong):
    with pytest.raises(ToolArgumentsInvalid):
        await free_tables.invoke(wrong, call())


def test_the_plugin_offers_its_tools():
    assert [tool.name for tool in TOOLS] == ["free_tables", "book_table"]
    assert book_table.options.confirm
