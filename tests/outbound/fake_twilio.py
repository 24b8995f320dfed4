"""A stand-in for Twilio's REST API: it checks what it is sent, and can fail in every way.

It knows what the API's pages say and nothing of the bridge: a request with a field that does not
exist, without one that must be there, or with a number that is not in E.164 is a problem.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from xml.etree import ElementTree

from aiohttp import web

ACCOUNT, TOKEN = "AC" + "0" * 32, "rest-auth-token"
_BASE = f"/2010-04-01/Accounts/{ACCOUNT}"
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")

Form = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Page:
    """What the API's page says of one request: fields that must be there, and that may."""

    must: frozenset[str] = frozenset()
    may: frozenset[str] = frozenset()
    one_of: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()
    urls: frozenset[str] = frozenset()


def _names(names: str) -> frozenset[str]:
    return frozenset(names.split())


CREATE_CALL = Page(
    must=_names("To From Url Method StatusCallback StatusCallbackEvent Timeout"),
    may=_names("MachineDetection AsyncAmd AsyncAmdStatusCallback"),
    numbers=_names("To From"),
    urls=_names("Url StatusCallback AsyncAmdStatusCallback"),
)
CHANGE_CALL = Page(one_of=_names("Status Url Twiml"), may=_names("Method"), urls=_names("Url"))
SEND_MESSAGE = Page(
    must=_names("To Body"), one_of=_names("From MessagingServiceSid"), numbers=_names("To From")
)


@dataclass(slots=True)
class Asked:
    """One request that was taken: ``what`` is its kind, ``about`` what stands in its path."""

    what: str
    form: Form
    about: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> str:
        (value,) = self.form[name]
        return value


@dataclass(slots=True)
class FakeTwilio:
    """The API.

    ``fail`` is the next answers' fault: a status with a code, "html", "slow", "cut", "half" or
    "empty"; ``fail_times`` of them, or all if None. ``retry_after`` goes with a 429. ``padding``
    makes answers so much longer.
    """

    asked: list[Asked] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    attempts: int = 0
    fail: tuple[int, int] | str | None = None
    fail_times: int | None = None
    retry_after: str | None = None
    padding: int = 0
    token: str = TOKEN
    url: str = ""
    _over: asyncio.Event = field(default_factory=asyncio.Event)
    _bell: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def calls(self) -> list[Form]:
        """The calls that were placed."""
        return [one.form for one in self.of("create_call")]

    @property
    def ended(self) -> list[str]:
        """The calls that were hung up."""
        return [one.about[0] for one in self.of("change_call") if "Status" in one.form]

    @property
    def messages(self) -> list[Asked]:
        """The text messages that were sent."""
        return self.of("send_message")

    def of(self, what: str) -> list[Asked]:
        """The requests of a kind."""
        return [one for one in self.asked if one.what == what]

    async def until(self, what: str, count: int = 1) -> Asked:
        """Wait until so many requests of a kind were taken, and return the last of them."""
        async with asyncio.timeout(5):
            while len(self.of(what)) < count:
                self._bell.clear()
                await self._bell.wait()
        return self.of(what)[count - 1]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[FakeTwilio]:
        app = web.Application()
        app.router.add_post(_BASE + "/Calls.json", self._create_call)
        app.router.add_post(_BASE + "/Calls/{call}.json", self._change_call)
        app.router.add_post(_BASE + "/Messages.json", self._send_message)
        app.router.add_route("*", "/{anything:.*}", self._unknown)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            self._over.set()
            await runner.cleanup()

    # --- the requests ---------------------------------------------------------------------------

    async def _create_call(self, request: web.Request) -> web.StreamResponse:
        form = await self._form(request, CREATE_CALL)
        if ("AsyncAmd" in form) != ("AsyncAmdStatusCallback" in form):
            self.problems.append("AsyncAmd and its callback belong together")
        events = {"initiated", "ringing", "answered", "completed"}
        self._check(set(form.get("StatusCallbackEvent", ())) <= events, "StatusCallbackEvent")
        self._check(5 <= int(form.get("Timeout", ["5"])[0]) <= 600, "Timeout")
        call_id = f"CA{len(self.calls) + 1:032d}"
        return await self._answer(request, "create_call", form, {"sid": call_id}, 201)

    async def _change_call(self, request: web.Request) -> web.StreamResponse:
        form = await self._form(request, CHANGE_CALL)
        self._check(form.get("Status") in (None, ["completed"]), "Status")
        if "Twiml" in form:
            self._check(ElementTree.fromstring(form["Twiml"][0]).tag == "Response", "Twiml")
        return await self._answer(
            request, "change_call", form, {"sid": request.match_info["call"]}, 200
        )

    async def _send_message(self, request: web.Request) -> web.StreamResponse:
        form = await self._form(request, SEND_MESSAGE)
        self._check(1 <= len(form.get("Body", ["-"])[0]) <= 1600, "Body")
        service = form.get("MessagingServiceSid", ["MG" + "0" * 32])[0]
        self._check(re.fullmatch(r"MG[0-9a-f]{32}", service) is not None, "MessagingServiceSid")
        told = {"sid": f"SM{len(self.messages) + 1:032d}", "status": "queued"}
        return await self._answer(request, "send_message", form, told, 201)

    async def _unknown(self, request: web.Request) -> web.Response:
        self.attempts += 1
        self.problems.append(f"there is no {request.method} {request.path}")
        return _error(404, 20404)

    # --- what they share ------------------------------------------------------------------------

    async def _form(self, request: web.Request, page: Page) -> Form:
        """Read a form and hold it against its page."""
        posted = await request.post()
        form = {name: [str(value) for value in posted.getall(name)] for name in posted}
        named = form.keys() & page.one_of
        self._check(len(named) == (1 if page.one_of else 0), f"one of {sorted(page.one_of)}")
        if missing := page.must - form.keys():
            self.problems.append(f"{request.path}: missing {sorted(missing)}")
        if unknown := form.keys() - page.must - page.may - page.one_of:
            self.problems.append(f"{request.path}: unknown {sorted(unknown)}")
        for name in page.numbers & form.keys():
            self._check(_E164.fullmatch(form[name][0]) is not None, f"{name}: {form[name]}")
        for name in page.urls & form.keys():
            self._check(re.match(r"https?://[^/]+/", form[name][0]) is not None, f"{name}")
        return form

    def _check(self, right: bool, what: str) -> None:
        if not right:
            self.problems.append(what)

    async def _answer(
        self, request: web.Request, what: str, form: Form, told: dict[str, str], status: int
    ) -> web.StreamResponse:
        self.attempts += 1
        if (fault := await self._fault(request)) is not None:
            return fault
        self.asked.append(Asked(what, form, tuple(request.match_info.values())))
        self._bell.set()
        return web.json_response(told | {"padding": "x" * self.padding}, status=status)

    async def _fault(self, request: web.Request) -> web.StreamResponse | None:
        wanted = "Basic " + base64.b64encode(f"{ACCOUNT}:{self.token}".encode()).decode()
        if request.headers.get("Authorization") != wanted:
            return _error(401, 20003)
        if self.fail_times is not None:
            if self.fail_times <= 0:
                return None
            self.fail_times -= 1
        match self.fail:
            case "html":
                return web.Response(status=502, text="<h1>Bad gateway</h1>")
            case "empty":
                return web.Response(status=201)
            case "slow":
                await self._over.wait()
            case "cut":
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            case "half":
                return await self._half(request)
            case (int(status), int(code)):
                return _error(status, code, self.retry_after if status == 429 else None)
        return None

    async def _half(self, request: web.Request) -> web.StreamResponse:
        """Begin an answer, and let the connection break in the middle of it."""
        response = web.StreamResponse(status=201, headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"sid": "CA')
        assert request.transport is not None
        request.transport.abort()
        return response


def _error(status: int, code: int, retry_after: str | None = None) -> web.Response:
    body = {"status": status, "code": code, "message": f"fault {code}", "more_info": ""}
    headers = {"Retry-After": retry_after} if retry_after is not None else {}
    return web.json_response(body, status=status, headers=headers)
