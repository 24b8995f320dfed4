"""Runs the tools of one call, off the audio path.

Whatever happens inside a tool becomes an output that the model can use; a tool can neither hold
up the audio nor end the call by failing. Deadlines are the call's own (``ToolCalls``).
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

import structlog

from voicebridge.call import commands as do
from voicebridge.call import events as ev
from voicebridge.errors import ToolError, ToolFailed, UnknownTool
from voicebridge.tools.context import CallContext
from voicebridge.tools.data import as_output
from voicebridge.tools.tool import Tool
from voicebridge.tools.watchdog import LEAVE

log = structlog.get_logger(__name__)

TIDY_UP_WITHIN_S = 1.0
"""How long a tool that is stopped may take to tidy up; then it is taken off the loop."""

_stopped: set[asyncio.Task[tuple[str, bool]]] = set()
"""Tools that tidy up still, perhaps after the end of their call."""


class _Wishes:
    """What one tool call wishes for its line: kept until the tool is done, whatever its thread."""

    def __init__(self, call_id: str, keys: Callable[[ev.KeysWanted], Awaitable[str]]) -> None:
        self.events: list[ev.Event] = []
        self._call_id, self._keys = call_id, keys

    def hang_up(self, reason: str) -> None:
        self.events.append(ev.HangUpRequested(self._call_id))

    def transfer(self, number: str) -> None:
        self.events.append(ev.TransferRequested(self._call_id, number))

    def hand_over(self) -> None:
        self.events.append(ev.HandOverRequested(self._call_id))

    def press(self, keys: str) -> None:
        self.events.append(ev.KeysToSend(self._call_id, keys))

    def hold(self, longest_s: float) -> None:
        self.events.append(ev.HoldRequested(self._call_id, longest_s))

    def resume(self) -> None:
        self.events.append(ev.ResumeRequested(self._call_id))

    async def collect_keys(self, most: int, *, ends_with: str = "#", within_s: float = 20) -> str:
        return await self._keys(ev.KeysWanted(self._call_id, most, ends_with, within_s))


class ToolRunner:
    """The tools that one call may use.

    What a tool wishes for the call (to hang up, to transfer) takes effect when the tool is done,
    before its output is told, whatever thread it ran in.
    """

    def __init__(
        self,
        tools: Mapping[str, Tool],
        context: CallContext,
        feed: Callable[[ev.Event], None],
    ) -> None:
        self._tools, self._context, self._feed = tools, context, feed
        # A tool is asked for in the middle of the model's socket's work, whose log knows no call.
        self._scope = contextvars.copy_context()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._keys_wanted: dict[str, asyncio.Future[str]] = {}

    def start(self, run: do.RunTool, group: asyncio.TaskGroup) -> None:
        """Run a tool as a task of ``group`` and feed ``ToolFinished`` when it is done."""
        self._running[run.call_id] = group.create_task(self._run(run), context=self._scope.copy())

    def give_keys(self, call_id: str, keys: str) -> None:
        """Give the caller's keys to the tool that waits for them, if it still does."""
        waiting = self._keys_wanted.pop(call_id, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(keys)

    def cancel(self, call_id: str) -> None:
        """Stop a tool if it still runs; nothing is fed for it, and nobody waits for it."""
        self._keys_wanted.pop(call_id, None)
        if task := self._running.pop(call_id, None):
            task.cancel()

    async def _run(self, run: do.RunTool) -> None:
        wishes = _Wishes(run.call_id, self._keys)
        context = replace(self._context, hang_up=wishes.hang_up, line=wishes)
        work = asyncio.create_task(self._work(run, context))
        try:
            await asyncio.wait({work})
        except asyncio.CancelledError:
            _stop(run.name, work)
            raise
        output, ok = work.result()
        self._running.pop(run.call_id, None)
        for wish in wishes.events if ok else ():
            self._feed(wish)
        self._feed(ev.ToolFinished(run.call_id, output, ok))

    async def _work(self, run: do.RunTool, context: CallContext) -> tuple[str, bool]:
        """Return a tool's output and whether it is one; a tool may end itself, nothing else."""
        try:
            return await self._output(run, context), True
        except ToolError as error:
            return _told(str(error)), False
        except (asyncio.CancelledError, GeneratorExit):
            raise
        except BaseException:
            log.exception("tool_failed", tool=run.name)
            return _told(f"The tool {run.name} failed. Tell the caller so."), False

    async def _keys(self, wanted: ev.KeysWanted) -> str:
        if wanted.call_id not in self._running:
            raise ToolFailed("the call does not wait for this tool any more")
        waiting = asyncio.get_running_loop().create_future()
        self._keys_wanted[wanted.call_id] = waiting
        self._feed(wanted)
        return str(await waiting)

    async def _output(self, run: do.RunTool, context: CallContext) -> str:
        tool = self._tools.get(run.name)
        if tool is None:
            known = ", ".join(sorted(self._tools)) or "none"
            raise UnknownTool(f"There is no tool {run.name!r}. The tools are: {known}.")
        return await tool.invoke(run.arguments, context)


def _stop(name: str, work: asyncio.Task[tuple[str, bool]]) -> None:
    """Stop a tool; one that does not let itself be stopped is taken off the loop."""

    def leave_behind() -> None:
        log.error("tool_ignores_stop", tool=name, remedy="let asyncio.CancelledError through")
        work.cancel(LEAVE)

    def over(work: asyncio.Task[tuple[str, bool]]) -> None:
        later.cancel()
        _stopped.discard(work)
        if not work.cancelled() and (error := work.exception()):
            log.info("tool_failed_when_stopped", tool=name, error=type(error).__name__)

    _stopped.add(work)
    later = work.get_loop().call_later(TIDY_UP_WITHIN_S, leave_behind)
    work.add_done_callback(over)
    work.cancel()


def _told(error: str) -> str:
    return as_output("", {"error": error})
