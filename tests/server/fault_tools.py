"""Tools that go wrong in every way there is; a bridge under test loads them by their paths."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress

import structlog

from voicebridge.tools.tool import tool

log = structlog.get_logger(__name__)

BLOCKED_S = 5.0
LONG_S = 30.0


class Enough(BaseException):
    """What no ``except Exception`` catches."""


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
    await asyncio.sleep(LONG_S)
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
    time.sleep(BLOCKED_S)  # noqa: ASYNC251 - the fault
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
