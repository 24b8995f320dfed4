"""One response of the simulated model, from created to done (OpenAI Realtime, section 5)."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Literal

from voicebridge.rehearsal.client_events import ResponseParams
from voicebridge.rehearsal.codecs import Codec
from voicebridge.rehearsal.conversation import AGENT_MS_PER_TOKEN, Item, ItemStatus, Json
from voicebridge.rehearsal.response_wire import Manner, status_details, usage
from voicebridge.rehearsal.session_log import ResponseMade, ToolCallMade
from voicebridge.rehearsal.session_state import SessionState, new_id
from voicebridge.rehearsal.speaking import Speaking, pause
from voicebridge.rehearsal.steps import AgentStep

Outcome = Literal["completed", "cancelled", "incomplete", "failed"]

ARGUMENT_PIECE = 9
TOKENS_PER_MINUTE = 40_000


@dataclass(slots=True)
class _Open:
    """The item being made; ``where`` names it on events about its part."""

    item: Item
    output_index: int
    where: Json
    speaking: Speaking | None = None


class ResponseRun:
    """Write one response. It is over once ``finish`` was called, by itself or from outside."""

    def __init__(self, state: SessionState, params: ResponseParams, step: AgentStep) -> None:
        self._state, self._params, self._step = state, params, step
        self._manner = Manner.of(params, state.config)
        self._joins = params.conversation == "auto"
        self._output = list[Item]()
        self._open: _Open | None = None
        self._cut = asyncio.Event()
        text_tokens, audio_tokens = state.conversation.tokens()
        self._asked = (text_tokens + len(state.config.instructions) // 4, audio_tokens)
        self.made = ResponseMade(new_id("resp"), time.monotonic())

    @property
    def over(self) -> bool:
        """Tell whether ``response.done`` has been queued."""
        return self.made.done_at is not None

    @property
    def spoken_ms(self) -> int:
        """Tell how much audio it has written."""
        return sum(item.audio_ms for item in self._output)

    def begin(self) -> None:
        """Announce the response."""
        self._state.log.responses.append(self.made)
        self._emit("response.created", response=self._object("in_progress", None, None))

    async def run(self) -> None:
        """Say and call what the step says, and finish."""
        await pause(self._cut, time.monotonic() + self._step.wait_ms / 1000)
        for text in (self._step.say, *self._step.also_say):
            if text is not None and not self.over:
                await self._say(self._state.memory.fill(text))
        if self._step.call is not None and not self.over:
            self._call(self._step.call, json.dumps(self._step.arguments))
        if not self.over:
            self.finish("completed")

    def finish(self, status: Outcome, reason: str | None = None) -> None:
        """End it now: what is open is closed, as incomplete unless all went well."""
        if self._open is not None:
            self._close("completed" if status == "completed" else "incomplete")
        self.made.done_at, self.made.status = time.monotonic(), status
        bill = usage(self._asked, self._state.cached_tokens, self._output)
        self._state.cached_tokens = self._asked
        self._emit("response.done", response=self._object(status, reason, bill))
        left = max(0, TOKENS_PER_MINUTE - bill["total_tokens"])
        limit = {"name": "tokens", "limit": TOKENS_PER_MINUTE, "remaining": left}
        self._emit("rate_limits.updated", rate_limits=[{**limit, "reset_seconds": 0.4}])
        self._cut.set()

    async def _say(self, text: str) -> None:
        speech = await asyncio.to_thread(self._state.setting.voice.speak, text)
        if self.over:
            return
        spoken = self._manner.spoken
        body = {"type": "message", "role": "assistant", "content": []}
        item = Item(new_id("item"), body, "in_progress", spoken_by="agent" if spoken else None)
        opened = self._begin_item(item)
        empty = {"type": "audio", "transcript": ""} if spoken else {"type": "text", "text": ""}
        self._emit("response.content_part.added", **opened.where, part=empty)
        speaking = Speaking(self._state, self.made, item, speech, opened.where)
        opened.speaking = speaking
        self._state.note("response", text)
        if not spoken:
            speaking.write()
        else:
            limit_ms = self._limit_ms()
            await speaking.speak(Codec(self._manner.format.type), self._cut, limit_ms)
            if limit_ms is not None and limit_ms < speech.duration_ms and not self.over:
                self.finish("incomplete", "max_output_tokens")
        if not self.over:
            self._close("completed")

    def _limit_ms(self) -> int | None:
        tokens = self._manner.max_tokens
        return tokens * AGENT_MS_PER_TOKEN if isinstance(tokens, int) else None

    def _call(self, name: str, arguments: str) -> None:
        call_id = new_id("call")
        body = {"type": "function_call", "name": name, "call_id": call_id, "arguments": ""}
        opened = self._begin_item(Item(new_id("item"), body, "in_progress"))
        made = ToolCallMade(time.monotonic(), call_id, name, arguments)
        self._state.log.tool_calls.append(made)
        self._state.note("tool", f"{name} {arguments}")
        where = {key: opened.where[key] for key in ("response_id", "item_id", "output_index")}
        where["call_id"] = call_id
        for start in range(0, len(arguments), ARGUMENT_PIECE):
            piece = arguments[start : start + ARGUMENT_PIECE]
            self._emit("response.function_call_arguments.delta", **where, delta=piece)
        body["arguments"] = arguments
        done = {"name": name, "arguments": arguments}
        self._emit("response.function_call_arguments.done", **where, **done)
        self._close("completed")

    def _begin_item(self, item: Item) -> _Open:
        index, previous = len(self._output), None
        self._output.append(item)
        if self._joins:
            previous = self._state.conversation.add(item)
        ids = {"response_id": self.made.response_id, "item_id": item.item_id}
        self._open = _Open(item, index, {**ids, "output_index": index, "content_index": 0})
        self._emit_item("response.output_item.added", self._open)
        if self._joins:
            wire = item.on_the_wire()
            self._emit("conversation.item.added", previous_item_id=previous, item=wire)
        return self._open

    def _close(self, status: ItemStatus) -> None:
        opened, self._open = self._open, None
        if opened is None:
            return
        item = opened.item
        item.status = status
        if opened.speaking is not None:
            self._close_part(opened, opened.speaking.text)
        if self._joins and item.item_id in self._state.conversation:
            previous = self._state.conversation.before(item.item_id)
            wire = item.on_the_wire()
            self._emit("conversation.item.done", previous_item_id=previous, item=wire)
        self._emit_item("response.output_item.done", opened)

    def _close_part(self, opened: _Open, text: str) -> None:
        where = opened.where
        if not self._manner.spoken:
            self._emit("response.output_text.done", **where, text=text)
            part, content = {"type": "text", "text": text}, {"type": "output_text", "text": text}
        else:
            self._emit("response.output_audio.done", **where)
            self._emit("response.output_audio_transcript.done", **where, transcript=text)
            part = {"type": "audio", "transcript": text}
            content = {"type": "output_audio", "transcript": text}
        self._emit("response.content_part.done", **where, part=part)
        if not opened.item.truncated:
            opened.item.body["content"] = [content]

    def _object(self, status: str, reason: str | None, bill: Json | None) -> Json:
        manner = self._manner
        sound = {"format": manner.format.model_dump(), "voice": manner.voice}
        return {
            "object": "realtime.response",
            "id": self.made.response_id,
            "status": status,
            "status_details": status_details(status, reason),
            "output": [item.on_the_wire() for item in self._output],
            "conversation_id": self._state.conversation.conversation_id if self._joins else None,
            "output_modalities": manner.modalities,
            "max_output_tokens": manner.max_tokens,
            "audio": {"output": sound},
            "usage": bill,
            "metadata": self._params.metadata,
        }

    def _emit_item(self, event_type: str, opened: _Open) -> None:
        where = {"response_id": self.made.response_id, "output_index": opened.output_index}
        self._emit(event_type, **where, item=opened.item.on_the_wire())

    def _emit(self, event_type: str, **fields: object) -> None:
        self._state.outbox.emit({"type": event_type, **fields})
