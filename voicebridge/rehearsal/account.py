"""The account at the simulated carrier: its REST API on loopback, and whom it calls.

It is strict: a request without the account's key, with a field that is unknown or cannot be used,
is refused as the carrier refuses it, and told in ``errors``. A call to ``expects`` is handed over
to whoever plays that telephone; every other number is a colleague, who does what he is told to.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from voicebridge.rehearsal.account_forms import (
    CHANGED_CALL,
    MESSAGE,
    NEW_CALL,
    ApiFault,
    FormRules,
    fault_of,
)
from voicebridge.rehearsal.colleague import Colleague, ColleagueManner
from voicebridge.rehearsal.expectations import ApiRequest
from voicebridge.rehearsal.notes import Listener, PhoneNote, ignore
from voicebridge.rehearsal.placed_call import PlacedCall
from voicebridge.rehearsal.rooms import Rooms

MOST_CALLS = 50
Form = dict[str, list[str]]


@dataclass(eq=False, kw_only=True)
class Account:
    """One account; ``requests`` are those that were accepted, ``errors`` why others were not."""

    account_sid: str
    auth_token: str = field(repr=False)
    expects: str = ""
    manner: ColleagueManner = "takes"
    on_event: Listener = ignore
    rooms: Rooms = field(default_factory=Rooms)
    requests: list[ApiRequest] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    colleagues: list[Colleague] = field(default_factory=list)
    placed: asyncio.Queue[PlacedCall] = field(
        default_factory=lambda: asyncio.Queue(maxsize=MOST_CALLS)
    )
    url: str = ""
    _calls: list[asyncio.Task[None]] = field(default_factory=list)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Account]:
        """Listen on loopback; calls to colleagues come to their end before it closes."""
        app = web.Application()
        base = f"/2010-04-01/Accounts/{self.account_sid}"
        app.router.add_post(base + "/Calls.json", self._call)
        app.router.add_post(base + "/Calls/{sid}.json", self._change)
        app.router.add_post(base + "/Messages.json", self._message)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield self
            for colleague in self.colleagues:
                colleague.hang_up()
            await asyncio.gather(*self._calls)
        finally:
            for call in self._calls:
                call.cancel()
            await asyncio.gather(*self._calls, return_exceptions=True)
            await runner.cleanup()

    async def _call(self, request: web.Request) -> web.Response:
        form, refused = await self._form(request, NEW_CALL)
        if refused is not None:
            return refused
        placed = PlacedCall.asked("CA" + secrets.token_hex(16), form)
        if placed.to == self.expects:
            self.placed.put_nowait(placed)
        elif len(self.colleagues) < MOST_CALLS:
            colleague = Colleague(placed, self.manner, self.rooms, self._tell)
            self.colleagues.append(colleague)
            taken = colleague.take(self.account_sid, self.auth_token)
            self._calls.append(asyncio.create_task(taken))
        return web.json_response({"sid": placed.call_sid, "status": "queued"}, status=201)

    async def _change(self, request: web.Request) -> web.Response:
        form, refused = await self._form(request, CHANGED_CALL)
        if refused is not None:
            return refused
        sid = request.match_info["sid"]
        for colleague in self.colleagues:
            if colleague.placed.call_sid == sid and not colleague.over.is_set():
                colleague.hang_up(form.get("Twiml", [""])[0])
                return web.json_response({"sid": sid, "status": "completed"})
        return _error(ApiFault(404, 20404, f"there is no call {sid} under way"))

    async def _message(self, request: web.Request) -> web.Response:
        _, refused = await self._form(request, MESSAGE)
        if refused is not None:
            return refused
        sid = "SM" + secrets.token_hex(16)
        return web.json_response({"sid": sid, "status": "queued"}, status=201)

    async def _form(
        self, request: web.Request, rules: FormRules
    ) -> tuple[Form, web.Response | None]:
        """Read a request; with the answer that refuses it, if it is refused."""
        posted = await request.post()
        form = {name: [str(value) for value in posted.getall(name)] for name in posted}
        fault = self._key_fault(request) or fault_of(form, rules)
        path = request.path.removeprefix("/2010-04-01")
        if fault is not None:
            self.errors.append(f"{fault.code}: {request.method} {path}: {fault.message}")
            return form, _error(fault)
        fields = {name: ",".join(values) for name, values in form.items()}
        asked = ApiRequest(method=request.method, path=path, fields=fields)
        self.requests.append(asked)
        self._tell(f"{asked.method} {path.rpartition('/')[2]}")
        return form, None

    def _key_fault(self, request: web.Request) -> ApiFault | None:
        key = base64.b64encode(f"{self.account_sid}:{self.auth_token}".encode()).decode()
        if request.headers.get("Authorization") == f"Basic {key}":
            return None
        return ApiFault(401, 20003, "Authenticate")

    def _tell(self, text: str) -> None:
        self.on_event(PhoneNote(time.monotonic(), "carrier", text))


def _error(fault: ApiFault) -> web.Response:
    body = {"status": fault.status, "code": fault.code, "message": fault.message, "more_info": ""}
    return web.json_response(body, status=fault.status)
