"""Whatever happens inside a tool becomes an output that the model can use."""

import asyncio
import json
from dataclasses import replace
from typing import Any

from voicebridge.bridge.tool_runner import ToolRunner
from voicebridge.call import commands as do
from voicebridge.call import events as ev
from voicebridge.tools.context import CallContext
from voicebridge.tools.tool import Tool, tool

CONTEXT = CallContext("CA1", "+1", "+2", "p", hang_up=lambda reason: None)


@tool
async def break_down() -> str:
    """Break down."""
    raise ZeroDivisionError("a secret of ours")


@tool
async def leave(context: CallContext) -> str:
    """Leave."""
    context.hang_up("done")
    context.line.press("1")
    return "gone"


@tool
def leave_from_a_thread(context: CallContext) -> str:
    """Leave, from a thread."""
    context.line.transfer("+15550100020")
    return "gone"


@tool
async def leave_and_fail(context: CallContext) -> str:
    """Leave, and fail."""
    context.hang_up("done")
    raise ValueError


@tool
async def take_keys(context: CallContext) -> str:
    """Take keys."""
    return await context.line.collect_keys(4)


@tool
async def wait_for_ever() -> str:
    """Wait."""
    await asyncio.Event().wait()
    return "never"


ALL = {t.name: t for t in (break_down, leave, leave_from_a_thread, leave_and_fail, take_keys)}


async def fed_by(name: str, tools: dict[str, Tool] = ALL, keys: str | None = None) -> list[Any]:
    """What a tool's run feeds to its call, until it is done."""
    fed: list[Any] = []

    def feed(event: ev.Event) -> None:
        fed.append(event)
        if isinstance(event, ev.KeysWanted) and keys is not None:
            runner.give_keys(event.call_id, keys)

    runner = ToolRunner(tools, replace(CONTEXT), feed)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        runner.start(do.RunTool("c1", name, "{}"), group)
    return fed


async def test_a_tool_that_breaks_down_is_told_without_its_secrets() -> None:
    (done,) = await fed_by("break_down")
    assert not done.ok
    assert "failed" in json.loads(done.output)["error"]
    assert "secret" not in done.output


async def test_an_unknown_tool_is_told_with_those_there_are() -> None:
    (done,) = await fed_by("brake_down")
    assert not done.ok
    assert "break_down" in json.loads(done.output)["error"]
    (done,) = await fed_by("any", {})
    assert "none" in json.loads(done.output)["error"]


async def test_wishes_come_before_the_output_and_in_order() -> None:
    hang_up, press, done = await fed_by("leave")
    assert hang_up == ev.HangUpRequested("c1")
    assert press == ev.KeysToSend("c1", "1")
    assert done.ok


async def test_wishes_from_a_thread_are_as_good() -> None:
    transfer, done = await fed_by("leave_from_a_thread")
    assert transfer == ev.TransferRequested("c1", "+15550100020")
    assert done.ok


async def test_the_wishes_of_a_tool_that_fails_are_forgotten() -> None:
    (done,) = await fed_by("leave_and_fail")
    assert not done.ok


async def test_keys_go_to_the_tool_that_waits_for_them() -> None:
    wanted, done = await fed_by("take_keys", keys="4242")
    assert wanted == ev.KeysWanted("c1", 4, "#", 20)
    assert json.loads(done.output) == "4242"


async def test_keys_that_nobody_wants_any_more_are_dropped() -> None:
    ToolRunner(ALL, CONTEXT, lambda event: None).give_keys("c9", "1")


async def test_a_tool_that_was_stopped_tells_nothing() -> None:
    fed: list[ev.Event] = []
    runner = ToolRunner({"wait_for_ever": wait_for_ever}, CONTEXT, fed.append)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        runner.start(do.RunTool("c1", "wait_for_ever", "{}"), group)
        await asyncio.sleep(0)
        runner.cancel("c1")
        runner.cancel("c1")
    assert fed == []
