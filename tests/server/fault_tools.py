"""Tools that go wrong in every way there is; a bridge under test loads them by their paths."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

import structlog

from voicebridge.tools.context import CallContext
from voicebridge.tools.tool import tool

log = structlog.get_logger(__name__)

BLOCKED_S = 5.0
LONG_S = 30.0


class Enough(BaseException):
    """What no ``except Exception`` catches."""


async def _while(seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.Event().wait()


@tool
async def work() -> dict[str, str]:
    """Work, as a tool should."""
    return {"status": "done"}


@tool(timeout_s=3.5)
async def slow() -> None:
    """Take longer than a caller can wait."""
    await asyncio.Event().wait()


@tool(timeout_s=40)
async def long() -> dict[str, str]:
    """Take as long as a slow system does, and bring it then."""
    await _while(LONG_S)
    return {"status": "done at last"}


@tool(timeout_s=3)
async def hang() -> None:
    """Wait for ever, and ignore to be stopped."""
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()


@tool(timeout_s=3)
def hang_in_a_thread() -> None:
    """Wait for ever."""
    threading.Event().wait()


@tool
async def crash() -> None:
    """Break down."""
    raise ZeroDivisionError("hush-hush")


@tool
def leave() -> None:
    """End the process, from a thread."""
    raise SystemExit(3)


@tool
async def leave_at_once() -> None:
    """End the process, from the loop."""
    raise Enough


@tool
async def block() -> dict[str, str]:
    """Hold up the event loop."""
    log.info("block_begins")
    threading.Event().wait(BLOCKED_S)
    log.info("block_is_over")
    return {"status": "done"}


@tool
async def flood() -> list[str]:
    """Bring ten megabytes."""
    return ["ten megabytes "] * 700_000


@tool
def flood_of_text() -> str:
    """Bring ten megabytes as one text, from a thread."""
    return '{"text": "' + "0123456789" * 1_000_000


@tool
async def unserialisable() -> object:
    """Bring what is no JSON."""
    return {"socket": threading.Lock()}


@tool(cancellable=True)
async def leave_line(context: CallContext, after_ms: int = 0) -> str:
    """End the call, after a while."""
    await _while(after_ms / 1000)
    context.hang_up("the conversation is over")
    return "The call ends."


def begin() -> None:
    """Say that a tool is at work; a test puts its own in place of it."""


BOOKED: list[str] = []
"""What has been booked in this process."""


@tool
async def book(context: CallContext, day: str) -> dict[str, object]:
    """Book a table: a side effect that must happen once."""
    BOOKED.append(day)
    context.variables["booked"] = context.variables.get("booked", 0) + 1
    return {"booked": day, "bookings_of_this_call": context.variables["booked"]}


@tool
async def book_for_ever(day: str) -> None:
    """Book a table, which never comes to an end."""
    begin()
    await asyncio.Event().wait()


@tool(timeout_s=0.2)
async def take_card(context: CallContext) -> str:
    """Take a card's number, in less time than anybody needs to type it."""
    begin()
    return await context.line.collect_keys(16, within_s=60)
