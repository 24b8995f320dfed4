"""A model for the examples of the documentation: it answers every session in the same way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from voicebridge.realtime import ConnClosed, MemoryTransport, MessageType

Json = dict[str, Any]
ANSWER = "Hello, how can I help?"


class DocsDialer:
    """Gives every address the same model, and keeps what was asked for."""

    def __init__(self) -> None:
        self.dialled: list[tuple[str, dict[str, str]]] = []
        self._models: list[asyncio.Task[None]] = []

    async def dial(self, url: str, headers: Mapping[str, str]) -> MemoryTransport:
        self.dialled.append((url, dict(headers)))
        ours, theirs = MemoryTransport.pair()
        listening = parse_qs(urlsplit(url).query).get("intent") == ["transcription"]
        model = DocsModel(theirs, "transcription" if listening else "realtime")
        self._models.append(asyncio.create_task(model.run()))
        return ours


class DocsModel:
    """One session."""

    def __init__(self, transport: MemoryTransport, kind: str) -> None:
        self._transport, self._kind = transport, kind
        self._session: Json = {"type": kind, "id": "sess_1"}
        self._answered_tool = False
        self._asked = 0

    async def run(self) -> None:
        await self._say("session.created", session=self._session)
        try:
            while True:
                _, text = await self._transport.read_message()
                await self._hear(json.loads(text))
        except ConnClosed:
            return

    async def _say(self, kind: str, **fields: Any) -> None:
        text = json.dumps({"type": kind, "event_id": "e", **fields})
        await self._transport.write_message(MessageType.TEXT, text)

    async def _hear(self, event: Json) -> None:
        match event["type"]:
            case "session.update":
                self._session = {**self._session, **event["session"]}
                await self._say("session.updated", session=self._session)
            case "conversation.item.create":
                item = {"id": "item_1", **event["item"]}
                self._answered_tool |= item["type"] == "function_call_output"
                await self._say("conversation.item.added", item=item)
            case "input_audio_buffer.commit":
                await self._say("input_audio_buffer.committed", item_id="item_u")
                await self._say(
                    "conversation.item.input_audio_transcription.completed",
                    item_id="item_u",
                    content_index=0,
                    transcript="Good morning",
                )
            case "response.create":
                await self._respond()

    async def _respond(self) -> None:
        self._asked += 1
        response_id = f"resp_{self._asked}"
        place = {"response_id": response_id, "item_id": "item_a", "output_index": 0}
        await self._say("response.created", response={"id": response_id, "status": "in_progress"})
        if self._session.get("tools") and not self._answered_tool:
            call = {"call_id": "call_1", "name": "opening_hours"}
            await self._say(
                "response.function_call_arguments.done",
                **place,
                **call,
                arguments='{"day": "saturday"}',
            )
        else:
            part = {**place, "content_index": 0}
            for _ in range(2):
                audio = "/" * 213 + "8" + "=" * 2
                await self._say("response.output_audio.delta", **part, delta=audio)
            await self._say("response.output_audio_transcript.done", **part, transcript=ANSWER)
        await self._say("response.done", response={"id": response_id, "status": "completed"})
