"""The events that one model session of many writes (OpenAI Realtime, section 5)."""

from __future__ import annotations

import json
from binascii import b2a_base64
from collections.abc import Callable
from typing import NamedTuple


class Reply(NamedTuple):
    """The ids of one response and of its item."""

    response_id: str
    item_id: str

    @property
    def part(self) -> dict[str, object]:
        """The fields that name the spoken part of the item."""
        return {**self._asdict(), "output_index": 0, "content_index": 0}


def reply_of(run: int) -> Reply:
    """Name the reply of a run."""
    return Reply(f"resp_{run:024d}", f"item_{run:024d}")


def caller_item(run: int) -> str:
    """Name what the caller said behind a run."""
    return f"item_c{run:023d}"


class EventWriter:
    """Numbers the events of one session and sends them."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._count = 0

    def say(self, kind: str, **fields: object) -> None:
        """Send an event."""
        self._count += 1
        event = {"type": kind, "event_id": f"event_{self._count}", **fields}
        self._send(json.dumps(event, separators=(",", ":")).encode())

    def begin(self, reply: Reply, item: dict[str, object]) -> None:
        """Open a response and its item."""
        item = {"id": reply.item_id, **item}
        self.say("response.created", response=_response(reply, "in_progress", []))
        self.say(
            "response.output_item.added",
            response_id=reply.response_id,
            output_index=0,
            item=item,
        )
        self.say("conversation.item.added", previous_item_id=None, item=item)

    def audio(self, reply: Reply, audio: bytes) -> None:
        """Send a piece of speech: often, hence by formatting."""
        self._count += 1
        self._send(
            b'{"type":"response.output_audio.delta","event_id":"event_%d","response_id":"%b",'
            b'"item_id":"%b","output_index":0,"content_index":0,"delta":"%b"}'
            % (
                self._count,
                reply.response_id.encode(),
                reply.item_id.encode(),
                b2a_base64(audio, newline=False),
            )
        )

    def word(self, reply: Reply) -> None:
        """Send a word of the transcript."""
        self.say("response.output_audio_transcript.delta", **reply.part, delta=" word")

    def finish(self, reply: Reply, status: str) -> None:
        """Close a spoken response."""
        self.say("response.output_audio.done", **reply.part)
        self.say("response.output_audio_transcript.done", **reply.part, transcript="words")
        self.say("response.done", response=_response(reply, status, []))

    def call_tool(self, reply: Reply, name: str, arguments: str) -> None:
        """Send a whole response that consists of a tool call."""
        call_id = f"call_{reply.response_id}"
        call: dict[str, object] = {"type": "function_call", "name": name, "call_id": call_id}
        self.begin(reply, {**call, "status": "in_progress", "arguments": ""})
        done = {"id": reply.item_id, **call, "status": "completed", "arguments": arguments}
        self.say(
            "response.function_call_arguments.done",
            **reply._asdict(),
            output_index=0,
            call_id=call_id,
            name=name,
            arguments=arguments,
        )
        self.say(
            "response.output_item.done",
            response_id=reply.response_id,
            output_index=0,
            item=done,
        )
        self.say("response.done", response=_response(reply, "completed", [done]))


def _response(reply: Reply, status: str, output: list[dict[str, object]]) -> dict[str, object]:
    ids = {"object": "realtime.response", "id": reply.response_id}
    return {**ids, "status": status, "output": output}
