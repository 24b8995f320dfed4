"""Plain functions run in threads of their own tool, so that a hanging tool starves no other."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Iterator

import pytest

from voicebridge.errors import ToolFailed
from voicebridge.tools.context import CallContext
from voicebridge.tools.threads import MOST_AT_ONCE, MOST_WAITING, ToolThreads
from voicebridge.tools.tool import tool

WITHIN_S = 10
CONTEXT = CallContext(
    call_id="c1", caller="+15550100001", called="+15550100002", persona="desk", hang_up=print
)


class Gate:
    """Work that waits until the test lets it go on."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.begun = threading.Semaphore(0)
        self.running = 0

    def work(self) -> str:
        self.running += 1
        self.begun.release()
        assert self.opened.wait(WITHIN_S)
        return "done"


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.opened.set()


async def until_begun(gate: Gate, count: int) -> None:
    for _ in range(count):
        assert await asyncio.to_thread(gate.begun.acquire, timeout=WITHIN_S)


async def test_a_tool_that_hangs_in_all_its_threads_holds_up_no_other(gate: Gate) -> None:
    @tool
    def hang() -> str:
        """Hang."""
        return gate.work()

    @tool
    def answer() -> str:
        """Answer."""
        return "here"

    hanging = [asyncio.create_task(hang.invoke("", CONTEXT)) for _ in range(3 * MOST_AT_ONCE)]
    await until_begun(gate, MOST_AT_ONCE)
    assert await asyncio.wait_for(answer.invoke("", CONTEXT), WITHIN_S) == '"here"'
    assert gate.running == MOST_AT_ONCE
    gate.opened.set()
    assert await asyncio.wait_for(asyncio.gather(*hanging), WITHIN_S) == ['"done"'] * len(hanging)


async def test_a_cancelled_call_keeps_its_thread_and_gives_the_place_on_when_it_ends(gate) -> None:
    threads = ToolThreads(most=1)
    first = asyncio.create_task(threads.run("t", gate.work))
    await until_begun(gate, 1)
    first.cancel()
    await asyncio.wait({first}, timeout=WITHIN_S)
    second = asyncio.create_task(threads.run("t", lambda: "second"))
    waiting = asyncio.create_task(threads.run("t", lambda: "third"))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not second.done()
    waiting.cancel()
    gate.opened.set()
    assert await asyncio.wait_for(second, WITHIN_S) == "second"
    assert await asyncio.wait_for(threads.run("t", lambda: "fourth"), WITHIN_S) == "fourth"


async def test_too_many_waiting_calls_are_turned_away_in_words(gate: Gate) -> None:
    threads = ToolThreads(most=1)
    running = [asyncio.create_task(threads.run("t", gate.work)) for _ in range(1 + MOST_WAITING)]
    await until_begun(gate, 1)
    with pytest.raises(ToolFailed, match="t is too busy"):
        await threads.run("t", gate.work)
    gate.opened.set()
    await asyncio.wait_for(asyncio.gather(*running), WITHIN_S)


async def test_a_machine_without_threads_fails_the_call_and_not_the_tool(monkeypatch) -> None:
    threads = ToolThreads(most=1)

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(ToolFailed, match="too busy"):
            await threads.run("t", lambda: 1)
    assert await asyncio.wait_for(threads.run("t", lambda: 1), WITHIN_S) == 1


async def test_threads_end_with_the_process_and_know_the_call_they_work_for() -> None:
    call = contextvars.ContextVar("call", default="none")
    call.set("c1")

    def look() -> tuple[bool, str, str]:
        thread = threading.current_thread()
        return thread.daemon, thread.name, call.get()

    assert await ToolThreads().run("t", look) == (True, "tool t", "c1")


def test_a_thread_that_ends_after_its_loop_leaves_its_place(gate: Gate) -> None:
    threads = ToolThreads(most=1)
    ended = threading.Event()

    def work() -> None:
        gate.work()
        ended.set()

    async def give_up() -> None:
        task = asyncio.create_task(threads.run("t", work))
        await until_begun(gate, 1)
        task.cancel()

    asyncio.run(give_up())
    (thread,) = [each for each in threading.enumerate() if each.name == "tool t"]
    gate.opened.set()
    assert ended.wait(WITHIN_S)
    thread.join(WITHIN_S)
    assert asyncio.run(asyncio.wait_for(threads.run("t", lambda: 1), WITHIN_S)) == 1
