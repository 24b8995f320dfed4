"""Runs the tools of one call, off the audio path.

Whatever happens inside a tool becomes an output that the model can use; a tool can neither hold
up the audio nor end the call by failing. Deadlines are the call's own (``ToolCalls``).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import replace

import structlog

from voicebridge.call import commands as do
from voicebridge.call import events as ev
from voicebridge.errors import ToolError
from voicebridge.tools.context import CallContext
from voicebridge.tools.tool import Tool

log = structlog.get_logger(__name__)


class ToolRunner:
    """The tools that one call may use.

    What a tool wishes for the call (to hang up) takes effect when the tool is done, before its
    output is told, whatever thread it ran in.
    """

    def __init__(
        self,
        tools: Mapping[str, Tool],
        context: CallContext,
        feed: Callable[[ev.Event], None],
    ) -> None:
        self._tools, self._context, self._feed = tools, context, feed
        self._running: dict[str, asyncio.Task[None]] = {}
        self._keys_wanted: dict[str, asyncio.Future[str]] = {}

    def start(self, run: do.RunTool, group: asyncio.TaskGroup) -> None:
        """Run a tool as a task of ``group`` and feed ``ToolFinished`` when it is done."""
        self._running[run.call_id] = group.create_task(self._run(run))

    def give_keys(self, call_id: str, keys: str) -> None:
        """Give the caller's keys to the tool that waits for them, if it still does."""
        waiting = self._keys_wanted.pop(call_id, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(keys)

    def cancel(self, call_id: str) -> None:
        """Stop a tool if it still runs; nothing is fed for it."""
        if task := self._running.pop(call_id, None):
            task.cancel()

    async def _run(self, run: do.RunTool) -> None:
        wishes: list[str] = []
        context = replace(self._context, hang_up=wishes.append)
        try:
            output, ok = await self._output(run, context), True
        except ToolError as error:
            output, ok = _told(str(error)), False
        except Exception:
            log.exception("tool_failed", tool=run.name)
            output, ok = _told(f"The tool {run.name} failed. Tell the caller so."), False
        self._running.pop(run.call_id, None)
        if wishes:
            self._feed(ev.HangUpRequested(run.call_id))
        self._feed(ev.ToolFinished(run.call_id, output, ok))

    async def _output(self, run: do.RunTool, context: CallContext) -> str:
        tool = self._tools.get(run.name)
        if tool is None:
            known = ", ".join(sorted(self._tools)) or "none"
            return _told(f"There is no tool {run.name!r}. The tools are: {known}.")
        return await tool.invoke(run.arguments, context)


def _told(error: str) -> str:
    return json.dumps({"error": error}, ensure_ascii=False)
