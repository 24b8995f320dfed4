"""A stand-in for Twilio's REST API: it checks what it is sent, and can fail in the usual ways."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

ACCOUNT, TOKEN = "AC" + "0" * 32, "rest-auth-token"
_BASE = f"/2010-04-01/Accounts/{ACCOUNT}"
_REQUIRED = {"To", "From", "Url", "Method", "StatusCallback", "StatusCallbackEvent", "Timeout"}
_ALLOWED = _REQUIRED | {"MachineDetection", "AsyncAmd", "AsyncAmdStatusCallback"}


class FakeTwilio:
    """The API. ``fail`` is the next answers' fault: a status with a code, "html", "slow"."""

    def __init__(self) -> None:
        self.calls: list[dict[str, list[str]]] = []
        self.ended: list[str] = []
        self.problems: list[str] = []
        self.fail: tuple[int, int] | str | None = None
        self.url = ""
        self._over = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[FakeTwilio]:
        app = web.Application()
        app.router.add_post(_BASE + "/Calls.json", self._create)
        app.router.add_post(_BASE + "/Calls/{sid}.json", self._update)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            self._over.set()
            await runner.cleanup()

    async def _create(self, request: web.Request) -> web.Response:
        form = await request.post()
        told = {name: [str(value) for value in form.getall(name)] for name in form}
        if fault := await self._fault(request):
            return fault
        if missing := _REQUIRED - told.keys():
            self.problems.append(f"missing: {missing}")
        if unknown := told.keys() - _ALLOWED:
            self.problems.append(f"unknown: {unknown}")
        if ("AsyncAmd" in told) != ("AsyncAmdStatusCallback" in told):
            self.problems.append("AsyncAmd and its callback belong together")
        if not told.get("Url", [""])[0].startswith("https://"):
            self.problems.append("Url is not https")
        self.calls.append(told)
        return web.json_response(
            {"sid": f"CA{len(self.calls):032d}", "status": "queued"}, status=201
        )

    async def _update(self, request: web.Request) -> web.Response:
        form = await request.post()
        if fault := await self._fault(request):
            return fault
        if dict(form) != {"Status": "completed"}:
            self.problems.append(f"a hang-up with {dict(form)}")
        self.ended.append(request.match_info["sid"])
        return web.json_response({"sid": request.match_info["sid"], "status": "completed"})

    async def _fault(self, request: web.Request) -> web.Response | None:
        wanted = "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        if request.headers.get("Authorization") != wanted:
            return _error(401, 20003)
        match self.fail:
            case "html":
                return web.Response(status=502, text="<h1>Bad gateway</h1>")
            case "slow":
                await self._over.wait()
            case "cut":
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            case (int(status), int(code)):
                return _error(status, code)
        return None


def _error(status: int, code: int) -> web.Response:
    body = {"status": status, "code": code, "message": f"fault {code}", "more_info": ""}
    return web.json_response(body, status=status)
