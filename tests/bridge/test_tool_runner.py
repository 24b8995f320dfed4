"""Whatever happens inside a tool becomes an output that the model can use."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from voicebridge.bridge import tool_runner
from voicebridge.bridge.tool_runner import ToolRunner
from voicebridge.call import commands as do
from voicebridge.call import events as ev
from voicebridge.errors import ToolFailed
from voicebridge.tools.context import CallContext
from voicebridge.tools.data import MAX_OUTPUT_BYTES
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


async def until_nothing_is_left() -> None:
    async with asyncio.timeout(5):
        while tool_runner._stopped:
            await asyncio.wait(tool_runner._stopped)


async def stopped_in_mid_work(offered: Tool, begun: asyncio.Event) -> list[ev.Event]:
    """What a tool feeds that is stopped when it has begun; returns when its call waits no more."""
    fed: list[ev.Event] = []
    runner = ToolRunner({offered.name: offered}, CONTEXT, fed.append)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        runner.start(do.RunTool("c1", offered.name, "{}"), group)
        await begun.wait()
        runner.cancel("c1")
    return fed


async def test_a_tool_that_ignores_its_stop_holds_up_nobody_and_is_taken_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tool_runner, "TIDY_UP_WITHIN_S", 0.01)
    begun, stops = asyncio.Event(), 0

    @tool
    async def stubborn() -> None:
        """Go on and on."""
        nonlocal stops
        begun.set()
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                stops += 1

    with capture_logs() as told:
        assert await stopped_in_mid_work(stubborn, begun) == []
        assert tool_runner._stopped
        await until_nothing_is_left()
    assert stops == 1
    assert [(line["event"], line["tool"]) for line in told] == [("tool_ignores_stop", "stubborn")]


async def test_a_tool_that_is_stopped_may_tidy_up_after_its_call_and_asks_for_no_keys() -> None:
    begun, let_go, tidied = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @tool
    async def tidy(context: CallContext) -> None:
        """Tidy up."""
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await let_go.wait()
            tidied.set()
            await context.line.collect_keys(4)

    assert await stopped_in_mid_work(tidy, begun) == []
    let_go.set()
    await until_nothing_is_left()
    assert tidied.is_set()


async def test_what_a_tool_brings_after_it_was_stopped_is_told_to_nobody() -> None:
    begun = asyncio.Event()

    @tool
    async def late() -> str:
        """Bring it anyway."""
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "late"

    assert await stopped_in_mid_work(late, begun) == []
    await until_nothing_is_left()


async def test_words_of_a_failure_are_cleaned_and_cut_like_any_other_output() -> None:
    @tool
    async def wordy() -> None:
        """Fail with a book."""
        raise ToolFailed("\x1b[2J" + "long " * 10_000)

    (done,) = await fed_by("wordy", {"wordy": wordy})
    assert len(done.output.encode()) <= MAX_OUTPUT_BYTES
    assert "\x1b" not in done.output
    assert "cut here" in json.loads(done.output)["cut"]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, type("Own", (BaseException,), {})])
async def test_what_would_end_the_process_ends_the_tool(kind: type[BaseException]) -> None:
    @tool
    async def ends() -> None:
        """End it all."""
        raise kind

    (done,) = await fed_by("ends", {"ends": ends})
    assert "ends" in json.loads(done.output)["error"]
    assert not done.ok
