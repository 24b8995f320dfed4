"""A model that is dialled early and then not wanted: nothing of it is left, at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from voicebridge.errors import ConnectError
from voicebridge.server.early_dial import EarlyDial

WITHIN_S = 5.0


class Leg:
    """A model's leg that notes that it was closed."""

    closed = False

    async def close(self) -> None:
        self.closed = True


async def test_a_dial_that_nobody_wants_is_broken_off() -> None:
    begun, given_up = asyncio.Event(), False

    async def dial() -> Any:
        nonlocal given_up
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            given_up = True

    early = EarlyDial(dial)
    await begun.wait()
    async with asyncio.timeout(WITHIN_S):
        await early.drop()
    assert given_up


async def test_a_model_that_is_there_already_is_closed() -> None:
    leg, there = Leg(), asyncio.Event()

    async def dial() -> Any:
        there.set()
        return leg

    early = EarlyDial(dial)
    await there.wait()
    await asyncio.sleep(0)
    await early.drop()
    assert leg.closed


async def test_a_dial_that_failed_is_forgotten_and_a_fault_of_ours_is_not() -> None:
    async def refused() -> Any:
        raise ConnectError("no")

    async def broken() -> Any:
        raise LookupError

    for dial, fault in ((refused, None), (broken, LookupError)):
        early = EarlyDial(dial)
        await asyncio.sleep(0)
        if fault is None:
            await early.drop()
        else:
            with pytest.raises(fault):
                await early.drop()


async def test_a_call_that_ends_while_it_waits_for_its_model_breaks_the_dial_off() -> None:
    begun, given_up = asyncio.Event(), asyncio.Event()

    async def dial() -> Any:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            given_up.set()

    taking = asyncio.ensure_future(EarlyDial(dial).take())
    await begun.wait()
    taking.cancel()
    async with asyncio.timeout(WITHIN_S):
        with pytest.raises(asyncio.CancelledError):
            await taking
    assert given_up.is_set()
