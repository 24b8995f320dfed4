"""A day at a bridge that is told much: a model, a back office and a carrier without discretion."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from aiohttp import web
from planted import BARE, CARDS, MAILS, NAMES, NUMBERS, SAID, SECRETS
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

Event = dict[str, Any]

KEY = SECRETS["OPENAI_API_KEY"]
MASKED_KEY = f"sk-proj-{'*' * 20}{KEY[-10:]}"
AUDIO = base64.b64encode(b"\x55" * 800).decode()
ALL_SAID = "; ".join((*SAID, *NAMES, *MAILS, *NUMBERS, *BARE, *CARDS))
_WHERE = {"response_id": "r", "item_id": "i", "output_index": 0, "content_index": 0}


def error(message: str, code: str = "server_error", **more: object) -> Event:
    return {"type": "error", "error": {"type": "x", "code": code, "message": message, **more}}


def call(name: str, arguments: object, number: int = 0) -> tuple[Event, ...]:
    """Call a tool, with arguments that need not be JSON."""
    item = {
        "id": f"f{number}",
        "type": "function_call",
        "name": name,
        "call_id": f"c{number}",
        "arguments": arguments if isinstance(arguments, str) else json.dumps(arguments),
    }
    done = {"type": "response.output_item.done", "response_id": "r", "output_index": 0}
    return ({**done, "item": item},)


def transcripts() -> tuple[Event, ...]:
    heard = {"type": "conversation.item.input_audio_transcription.completed", "item_id": "u"}
    return (
        {**heard, "content_index": 0, "transcript": ALL_SAID},
        {"type": "response.output_audio_transcript.delta", **_WHERE, "delta": ALL_SAID},
        {"type": "response.output_audio_transcript.done", **_WHERE, "transcript": ALL_SAID},
    )


NAME, MAIL, CARD = NAMES[0], MAILS[1], CARDS[0]
PLAYS: dict[str, tuple[Event | str, ...]] = {
    "says all": transcripts(),
    "repeats the key": (error(f"Incorrect API key provided: {KEY}. Authorization: Bearer {KEY}"),),
    "repeats half the key": (error(f"Incorrect API key provided: {MASKED_KEY}."),),
    "ends over the key": (error(f"Incorrect API key: {KEY}", "invalid_api_key"),),
    "ends over words": (error(f"policy: {ALL_SAID}", "insufficient_quota"),),
    "complains of words": (error(f"Invalid value: '{ALL_SAID}'", param=f"x[{NAME}]"),),
    "no JSON": ('{"type":"response.output_audio.delta","delta": ' + ALL_SAID,),
    "a wrong field": (
        {"type": "response.output_audio.delta", **_WHERE, "item_id": NAME, "delta": [ALL_SAID]},
        {"type": "response.done", "response": ALL_SAID},
        {"type": "conversation.item.added", "item": {"id": 7, "type": ALL_SAID}},
    ),
    "an unknown event": ({"type": f"x.{NAME}", KEY: ALL_SAID},),
    "failed": (
        {
            "type": "response.done",
            "response": {
                "id": "r",
                "status": "failed",
                "status_details": {"error": {"code": "x", "message": f"{KEY} {ALL_SAID}"}},
                "output": [],
            },
        },
    ),
    "look_up": call("look_up", {"name": NAME, "card": CARD}),
    "look_up_soon": call("look_up_soon", {"name": NAME, "mail": MAIL}),
    "say_no": call("say_no", {"name": NAME}),
    "tell": call("tell", {"name": NAME}),
    "log_it": call("log_it", {"name": NAME}),
    "in_a_thread": call("in_a_thread", {"name": NAME}),
    "leave": call("leave", {"name": NAME}),
    "crm": call("crm", {"customer": NAME, "mail": MAIL}),
    "crm with a card": call("crm", {"customer": CARD, "mail": SAID[0]}),
    "calendar": call("calendar_find", {"name": NAME}),
    "a tool of nobody": call(NAME, {KEY: ALL_SAID}),
    "arguments that do not fit": call("look_up", {NAME: ALL_SAID}),
    "arguments that are none": call("look_up", ALL_SAID),
    "collect": call("collect_digits", {"name": "card", "most": 16}),
    "transfers to words": call("transfer", {"to": NAME}),
    "notes": call("set_variable", {"name": NAME, "value": ALL_SAID}),
}
"""What a session does once it is asked to speak; each ends with a little audio."""


class TalkativeModel:
    """A realtime server that tells what it should not, in each session something else."""

    def __init__(self) -> None:
        self._number = count()
        self.opened: dict[str, int] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """Listen; yields the URL, with a secret in its query."""
        async with serve(
            self._session, "127.0.0.1", 0, process_request=self._door, compression=None
        ) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            access = SECRETS["REALTIME_ACCESS"]
            yield f"ws://127.0.0.1:{port}/v1/realtime?access={access}"

    def _door(self, _socket: ServerConnection, request: Request) -> Response | None:
        """Refuse each ninth session, with all that it came with in the answer."""
        if next(self._number) % 9:
            return None
        body = json.dumps({"error": {"message": f"{request.path} {dict(request.headers)}"}})
        said = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        return Response(401, f"No {KEY}", Headers(**said), body.encode())

    async def _session(self, socket: ServerConnection) -> None:
        names = list(PLAYS)
        name = names[sum(self.opened.values()) % len(names)]
        self.opened[name] = self.opened.get(name, 0) + 1
        try:
            await self._play(socket, name)
        except ConnectionClosed:
            return

    async def _play(self, socket: ServerConnection, name: str) -> None:
        played = False
        await self._say(socket, {"type": "session.created", "session": {"id": KEY}})
        async for text in socket:
            event = json.loads(text)
            if event["type"] == "session.update":
                session = event["session"]
                await self._say(socket, {"type": "session.updated", "session": session})
            elif event["type"] == "response.create" and not played:
                played = True
                await self._speak(socket, PLAYS[name])
                if name == "no JSON":
                    await socket.close(4000, f"{KEY} {NAME}")

    async def _speak(self, socket: ServerConnection, play: tuple[Event | str, ...]) -> None:
        response = {"object": "realtime.response", "id": "r", "status": "in_progress", "output": []}
        item = {"id": "i", "type": "message", "role": "assistant", "content": []}
        where = {"response_id": "r", "output_index": 0}
        await self._say(socket, {"type": "response.created", "response": response})
        await self._say(socket, {"type": "response.output_item.added", **where, "item": item})
        for event in play:
            await self._say(socket, event)
        await self._say(socket, {"type": "response.output_audio.delta", **_WHERE, "delta": AUDIO})
        done = {**response, "status": "completed"}
        await self._say(socket, {"type": "response.done", "response": done})

    async def _say(self, socket: ServerConnection, event: Event | str) -> None:
        text = event if isinstance(event, str) else json.dumps({"event_id": "e", **event})
        await socket.send(text)


@asynccontextmanager
async def back_office() -> AsyncIterator[str]:
    """Serve what the tools ask for: it answers everything with what it was asked."""
    numbers = count()

    async def answer(request: web.Request) -> web.Response:
        told = {"path": request.path_qs, "headers": dict(request.headers)}
        status = (200, 500, 401, 302)[next(numbers) % 4]
        told["body"] = (await request.text())[:2000]
        told |= {"code": 21211, "message": f"not so: {told}", "sid": told["path"]}
        location = {"Location": f"http://127.0.0.1:1/{request.path_qs}"} if status == 302 else {}
        return web.json_response(told, status=status, headers=location)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def gathered(jobs: list[Callable[[], Any]], at_once: int) -> None:
    """Run jobs, so many at once."""
    places = asyncio.Semaphore(at_once)

    async def run(job: Callable[[], Any]) -> None:
        async with places:
            await job()

    async with asyncio.TaskGroup() as tasks:
        for job in jobs:
            tasks.create_task(run(job))
