"""A tool that blocks the event loop is named in the log while it does."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from voicebridge.tools import watchdog
from voicebridge.tools.context import CallContext
from voicebridge.tools.tool import tool

WITHIN_S = 10.0
CONTEXT = CallContext(
    call_id="c1", caller="+15550100001", called="+15550100002", persona="desk", hang_up=print
)


class Told:
    """Log lines as they come, from whatever thread."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.came = threading.Event()
        self.begun = time.monotonic()
        self.after_s = 0.0

    def __call__(self, _logger: Any, _method: str, event: Any) -> Any:
        self.lines.append(dict(event))
        self.after_s = time.monotonic() - self.begun
        self.came.set()
        raise structlog.DropEvent

    def block(self) -> None:
        """Hold the loop up until the log has told it, as a blocking library would."""
        self.begun = time.monotonic()
        assert self.came.wait(WITHIN_S), "nobody told that the loop is blocked"


@pytest.fixture
def told() -> Iterator[Told]:
    told = Told()
    before = structlog.get_config()
    structlog.configure(processors=[told], cache_logger_on_first_use=False)
    yield told
    structlog.configure(**before)


async def test_a_tool_that_blocks_is_named_within_a_second_with_its_line(told: Told) -> None:
    @tool
    async def slow_lookup() -> None:
        """Block."""
        told.block()

    await slow_lookup.invoke("", CONTEXT)
    (line,) = told.lines
    assert (line["event"], line["tool"]) == ("tool_blocks_loop", "slow_lookup")
    assert line["blocked_ms"] >= 250
    assert line["where"].startswith(f"{__file__}:")
    # Busy machines are late; a watchdog that looks rarely would be later by far.
    assert told.after_s < WITHIN_S / 2


async def test_a_block_after_an_await_is_named_too(told: Told) -> None:
    @tool
    async def second_thoughts() -> None:
        """Wait, then block."""
        await asyncio.sleep(0)
        told.block()

    await second_thoughts.invoke("", CONTEXT)
    assert [line["tool"] for line in told.lines] == ["second_thoughts"]


async def test_a_block_in_a_task_of_the_tool_is_named_too(told: Told) -> None:
    async def part() -> None:
        told.block()

    @tool
    async def gatherer() -> None:
        """Block in a task."""
        await asyncio.gather(part(), asyncio.sleep(0))

    await gatherer.invoke("", CONTEXT)
    assert [line["tool"] for line in told.lines] == ["gatherer"]


async def test_a_tool_that_only_waits_is_not_blamed_for_another(told: Told) -> None:
    begun, over = asyncio.Event(), asyncio.Event()

    @tool
    async def patient() -> None:
        """Wait."""
        begun.set()
        await over.wait()

    @tool
    async def blocker() -> None:
        """Block."""
        told.block()

    waiting = asyncio.create_task(patient.invoke("", CONTEXT))
    await begun.wait()
    await blocker.invoke("", CONTEXT)
    over.set()
    await waiting
    assert [line["tool"] for line in told.lines] == ["blocker"]


async def test_the_watch_ends_with_the_last_tool() -> None:
    begun, over = asyncio.Event(), asyncio.Event()

    @tool
    async def wait() -> None:
        """Wait."""
        begun.set()
        await over.wait()

    @tool
    async def fail() -> None:
        """Fail."""
        raise LookupError

    waiting = asyncio.create_task(wait.invoke("", CONTEXT))
    await begun.wait()
    with pytest.raises(LookupError):
        await fail.invoke("", CONTEXT)
    assert asyncio.get_running_loop() in watchdog._watches
    over.set()
    await waiting
    assert asyncio.get_running_loop() not in watchdog._watches


async def test_what_is_sent_and_thrown_into_a_tool_reaches_it() -> None:
    seen: list[str] = []

    @tool
    async def careful() -> str:
        """Clean up."""
        try:
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        except TimeoutError:
            seen.append("timed out")
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_result, "sent")
        return str(await future)

    assert await careful.invoke("", CONTEXT) == '"sent"'
    assert seen == ["timed out"]
