"""A request that comes to the wrong worker: two workers in one process, each with its own port."""

from __future__ import annotations

import asyncio
import json
import re
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from hashlib import sha256
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp
import pytest
from pydantic import SecretStr
from server_office import AUTH_TOKEN, CALLED, CALLER, WITHIN_S, Line, Office, get, post

from voicebridge.cli.dial import ask
from voicebridge.outbound.rest import NewCall
from voicebridge.records.status import StatusBook
from voicebridge.rehearsal.raw_stream import RawStream
from voicebridge.rehearsal.signing import signature_header
from voicebridge.server.crew import handover, worker
from voicebridge.server.crew.board import State
from voicebridge.server.crew.supervisor import make_crew
from voicebridge.server.crew.worker import Crew, Worker, open_listeners
from voicebridge.settings import Limits, Outbound

OpenCrew = Callable[..., Awaitable[list[Office]]]


@pytest.fixture
async def crews() -> AsyncIterator[list[Crew]]:
    """Keep crews open until all bridges are down."""
    opened: list[Crew] = []
    yield opened
    for crew in opened:
        crew.close()


@pytest.fixture
async def open_crew(crews: list[Crew], open_office: Callable[..., Awaitable[Office]]) -> OpenCrew:
    """Open workers that know of each other; a request to an office's URL comes to that worker."""

    async def open_(workers: int = 2, **settings: Any) -> list[Office]:
        ports = [open_listeners("127.0.0.1", 0) for _ in range(workers)]
        crew = make_crew(ports[0], workers)
        crews.append(crew)
        offices = []
        for index, listeners in enumerate(ports):
            worker = Worker(replace(crew, listeners=listeners), index)
            offices.append(await open_office(worker=worker, **settings))
            worker.report("")
        return offices

    return open_


def call_of(worker: int, number: int = 0, workers: int = 2) -> str:
    """Return the id of a call that belongs to a worker."""
    ids = (f"CA{each}" for each in range(10_000))
    return [one for one in ids if zlib.crc32(one.encode()) % workers == worker][number]


def passed_on(office: Office) -> int:
    return office.bridge.switchboard.slot.passed_on


async def ring(office: Office, call_id: str, caller: str = CALLER) -> str:
    status, twiml = await office.post("/twilio/voice", CallSid=call_id, From=caller, To=CALLED)
    assert status == 200
    return twiml


async def answer(office: Office, call_id: str) -> tuple[str, str, str]:
    """Ring a worker; return the stream's token, its URL and the one that comes after it."""
    twiml = await ring(office, call_id)
    found = [
        re.search(pattern, twiml)
        for pattern in (r'name="token" value="([^"]+)', r'<Stream url="([^"]+)', r">([^<]+)</Redir")
    ]
    token, stream_url, after_url = (unescape(match[1]) for match in found if match)
    return token, stream_url, after_url


@asynccontextmanager
async def call(office: Office, call_id: str) -> AsyncIterator[Line]:
    """Place a call whose every connection comes to one worker, whoever it belongs to."""
    token, stream_url, after_url = await answer(office, call_id)
    async with RawStream(stream_url, auth_token=AUTH_TOKEN) as raw, asyncio.TaskGroup() as tasks:
        raw.writer.call_sid = call_id
        line = Line(raw, after_url)
        listener = tasks.create_task(line.listen())
        await raw.begin(token=token)
        await line.until_heard()
        yield line
        listener.cancel()


async def lets_in(url: str, call_id: str, token: str) -> bool:
    """Start a stream and tell whether it was let in."""
    async with RawStream(url, auth_token=AUTH_TOKEN) as raw:
        raw.writer.call_sid = call_id
        await raw.begin(token=token)
        return await raw.read() is not None


async def test_a_call_that_comes_to_the_wrong_worker_lives_whole_at_its_own(
    open_crew: OpenCrew,
) -> None:
    here, owner = await open_crew()
    call_id = call_of(1)
    async with call(here, call_id) as line:
        assert line.raw.url.endswith("/twilio/media/1")
        assert "bridge.worker=1" in line.after_url
        assert owner.bridge.switchboard.calls.is_live(call_id)
        assert not here.bridge.switchboard.calls.is_live(call_id)
        for office in (here, owner):
            _, health = await get(office.bridge.url + "/healthz")
            assert (health["status"], health["calls"]) == ("ok", 1)
            assert [worker["calls"] for worker in health["workers"]] == [0, 1]
        await owner.ends_well(line)
        assert "<Hangup" in await here.after_stream(line)
    assert (len(owner.model.served), len(here.model.sessions)) == (1, 0)
    assert (passed_on(here), passed_on(owner)) == (3, 0)


async def test_a_call_that_comes_to_its_own_worker_is_not_passed_on(open_crew: OpenCrew) -> None:
    here, other = await open_crew()
    async with call(here, call_of(0)) as line:
        await here.ends_well(line)
    assert (passed_on(here), len(other.model.sessions)) == (0, 0)


async def test_a_connection_that_is_kept_open_follows_each_of_its_requests(
    open_crew: OpenCrew,
) -> None:
    here, other = await open_crew()
    url = here.bridge.url + "/twilio/voice"
    ports = set()
    async with aiohttp.ClientSession() as http:
        for number in range(6):
            form = {"CallSid": call_of(number % 2, number), "From": CALLER, "To": CALLED}
            headers = signature_header(AUTH_TOKEN, url, form.items())
            async with http.post(url, data=form, headers=headers) as response:
                assert f"/twilio/media/{number % 2}" in await response.text()
                assert response.connection is None or response.connection.transport is not None
            assert http.connector is not None
            ports |= {
                transport.get_extra_info("sockname")[1]
                for waiting in http.connector._conns.values()
                for protocol, _ in waiting
                if (transport := protocol.transport)
            }
    assert len(ports) == 1
    assert (passed_on(here), passed_on(other)) == (3, 2)


@pytest.mark.parametrize("how", ["chunked", "expect", "json"])
async def test_a_request_is_passed_on_however_its_body_was_sent(
    open_crew: OpenCrew, how: str
) -> None:
    here, _ = await open_crew()
    call_id = call_of(1)
    form = {"CallSid": call_id, "From": CALLER, "To": CALLED}
    url = here.bridge.url + "/twilio/voice"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    body = urlencode(form).encode()
    if how == "json":
        body = json.dumps(form).encode()
        url += "?bodySHA256=" + sha256(body).hexdigest()
        headers["Content-Type"] = "application/json"
    headers |= signature_header(AUTH_TOKEN, url, [] if how == "json" else form.items())

    async def pieces() -> AsyncIterator[bytes]:
        for byte in body:
            yield bytes([byte])

    async with asyncio.timeout(WITHIN_S), aiohttp.ClientSession() as http:
        data = pieces() if how == "chunked" else body
        async with http.post(
            url, data=data, headers=headers, expect100=how == "expect"
        ) as response:
            assert response.status == 200
            assert "/twilio/media/1" in await response.text()
    assert passed_on(here) == 1


async def test_nothing_that_a_stranger_sends_is_passed_on(open_crew: OpenCrew) -> None:
    here, owner = await open_crew()
    form = {"CallSid": call_of(1), "From": CALLER, "To": CALLED}
    for path in ("/twilio/voice", "/twilio/after-stream?bridge.worker=1", "/twilio/status"):
        assert (await post(here.bridge.url + path, list(form.items()), {}))[0] == 403
    with pytest.raises(aiohttp.WSServerHandshakeError):
        async with RawStream(here.media_url + "/1", auth_token="wrong"):
            pass
    assert (passed_on(here), owner.model.sessions) == (0, [])


async def test_a_token_is_good_once_at_all_workers_together(open_crew: OpenCrew) -> None:
    offices = await open_crew()
    call_id = call_of(1)
    token, stream_url, _ = await answer(offices[0], call_id)
    path = urlsplit(stream_url).path
    urls = ["ws" + office.bridge.url.removeprefix("http") + path for office in offices]
    urls += [office.media_url for office in offices] + [
        office.media_url + "/0" for office in offices
    ]
    async with asyncio.timeout(4 * WITHIN_S), asyncio.TaskGroup() as tasks:
        tries = [tasks.create_task(lets_in(url, call_id, token)) for url in urls for _ in range(10)]
    assert sum(each.result() for each in tries) == 1
    await offices[1].shelf.record_of(call_id)


async def test_there_are_so_many_lines_at_all_workers_together(open_crew: OpenCrew) -> None:
    offices = await open_crew(max_calls=5)
    async with asyncio.TaskGroup() as tasks:
        rung = [
            tasks.create_task(ring(offices[number % 2], f"CA{number}", f"+1555020{number:04}"))
            for number in range(30)
        ]
    assert sum("<Connect>" in each.result() for each in rung) == 5
    assert sum(len(office.bridge.switchboard.early) for office in offices) == 5
    for office in offices:
        assert (await get(office.bridge.url + "/readyz"))[0] == 503


async def test_streams_that_came_late_take_no_line_that_is_not_there(open_crew: OpenCrew) -> None:
    offices = await open_crew(max_calls=1)
    token, late_url, _ = await answer(offices[0], call_of(0))
    await offices[0].bridge.switchboard.early.close()  # as if ten seconds had passed
    in_time, url, _ = await answer(offices[1], call_of(1))
    assert not await lets_in(late_url, call_of(0), token)
    assert await lets_in(url, call_of(1), in_time)
    await offices[1].shelf.record_of(call_of(1))


async def test_a_number_calls_so_often_a_minute_whichever_worker_it_gets(
    open_crew: OpenCrew,
) -> None:
    offices = await open_crew(limits=Limits(calls_per_caller_per_minute=3))
    rung = [await ring(offices[number % 2], f"CA{number}") for number in range(6)]
    assert sum("<Connect>" in twiml for twiml in rung) == 3


async def test_what_one_worker_spends_counts_at_all_and_outlives_it(open_crew: OpenCrew) -> None:
    offices = await open_crew(limits=Limits(spend_per_hour_usd=1))
    offices[1].bridge.switchboard.spending.add(1.0)
    offices[1].bridge.switchboard.slot.clear()  # as the supervisor does when it has died
    assert "<Reject" in await ring(offices[0], call_of(0))
    assert offices[0].model.sessions == []


async def test_while_the_owner_is_down_another_stands_in_and_stays_the_owner(
    open_crew: OpenCrew,
) -> None:
    here, owner = await open_crew()
    owner.bridge.switchboard.slot.state = State.DOWN
    _, health = await get(here.bridge.url + "/healthz")
    assert health["status"] == "degraded"
    assert [worker["state"] for worker in health["workers"]] == ["up", "down"]
    call_id = call_of(1)
    async with call(here, call_id) as line:
        assert line.raw.url.endswith("/twilio/media/0")
        owner.bridge.switchboard.slot.state = State.UP
        await here.ends_well(line)
        after_url = line.after_url.replace(here.bridge.url, owner.bridge.url)
        line.after_url = after_url
        assert "<Hangup" in await owner.after_stream(line)
    assert (passed_on(here), passed_on(owner)) == (0, 1)


async def test_a_caller_whose_worker_is_gone_gets_the_agent_again_at_another(
    open_crew: OpenCrew,
) -> None:
    here, owner = await open_crew()
    call_id = call_of(1)
    _, _, after_url = await answer(here, call_id)
    owner.bridge.switchboard.slot.state = State.DOWN
    status, twiml = await here.post(after_url, CallSid=call_id, From=CALLER, To=CALLED)
    assert (status, "/twilio/media/0" in twiml) == (200, True)


async def test_who_finds_an_inbox_full_stands_in(
    open_crew: OpenCrew, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "TAKEN_WITHIN_S", 0.02)
    monkeypatch.setattr(handover, "_sent", lambda *_: False)
    here, owner = await open_crew()
    assert "/twilio/media/0" in await ring(here, call_of(1))
    assert (passed_on(here), owner.model.sessions) == (0, [])


async def test_a_status_is_kept_once_at_whichever_worker_it_comes_twice(
    open_crew: OpenCrew, tmp_path: Path
) -> None:
    offices = await open_crew()
    call_id = call_of(1)
    told = {"CallSid": call_id, "CallStatus": "ringing", "SequenceNumber": "1"}
    for number in range(6):
        assert (await offices[number % 2].post("/twilio/status", **told))[0] == 204
    assert len(StatusBook(tmp_path).of(call_id)) == 1
    assert len((tmp_path / call_id / "status.jsonl").read_text().splitlines()) == 1


async def test_what_strangers_try_adds_up(open_crew: OpenCrew) -> None:
    offices = await open_crew()
    for office in offices:
        assert (await post(office.bridge.url + "/twilio/voice", [], {}))[0] == 403
    for office in offices:
        assert (await get(office.bridge.url + "/healthz"))[1]["refused"] == 2


async def test_a_worker_that_leaves_keeps_its_calls_and_passes_others_on(
    open_crew: OpenCrew,
) -> None:
    leaving, other = await open_crew()
    async with call(other, call_of(0)) as line:
        leaving.bridge.switchboard.slot.state = State.LEAVING
        leaving.bridge.switchboard._draining = True
        assert "/twilio/media/1" in await ring(leaving, call_of(0, 1))
        before = passed_on(other)
        told = {"CallSid": line.call_id, "AnsweredBy": "human"}  # at an URL that names no worker
        assert (await other.post("/twilio/amd", **told))[0] == 204
        assert passed_on(other) == before + 1
        assert (await get(leaving.bridge.url + "/readyz"))[0] == 200
        _, health = await get(leaving.bridge.url + "/healthz")
        assert [worker["state"] for worker in health["workers"]] == ["leaving", "up"]
        await leaving.ends_well(line)
        assert "<Hangup" in await other.after_stream(line)
    other.bridge.switchboard.slot.state = State.DOWN
    assert (await get(leaving.bridge.url + "/readyz"))[0] == 503
    assert "<Reject" in await ring(leaving, call_of(0, 2))


@pytest.mark.parametrize("named", ["", "9", "-1", "1x", "00", "½", "1" * 5000, " 1"])
def test_a_name_that_is_no_workers_leaves_it_to_the_id(named: str) -> None:
    crew = make_crew((), 3)
    for slot in crew.board.slots:
        slot.state = State.UP
    asked = [Worker(crew, index) for index in range(3)]
    assert {worker.owner_of(call_of(2, workers=3), named) for worker in asked} == {2}
    assert [worker.owner_of("", named) for worker in asked] == [0, 1, 2]
    crew.board.slots[2].clear()
    assert {worker.owner_of(call_of(2, workers=3), named) for worker in asked} == {0}
    assert [worker.owner_of("", named) for worker in asked] == [0, 1, 0]
    crew.close()


@pytest.mark.parametrize("stays", [False, True])
async def test_a_worker_goes_when_all_who_have_just_come_are_seen_to_or_it_takes_too_long(
    monkeypatch: pytest.MonkeyPatch, stays: bool
) -> None:
    crew = make_crew((), 1)
    leaving, waiting, looks = Worker(crew, 0), ["somebody", "somebody else"], []
    leaving.report("")

    async def look(_: float) -> None:
        looks.append(State(leaving.slot.state))
        if not stays:
            waiting.pop()

    monkeypatch.setattr("voicebridge.server.crew.worker.asyncio.sleep", look)
    await leaving.see_off(waiting)
    assert looks == [State.DOWN] * (worker.MOST_LOOKS if stays else 2)
    crew.close()


async def test_so_many_calls_are_placed_a_minute_by_all_workers_together(
    open_crew: OpenCrew, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Carrier:
        """A carrier that takes every call."""

        async def create_call(self, call: NewCall) -> str:
            return "CA" + call.to[1:]

        async def close(self) -> None:
            return None

    monkeypatch.setattr("voicebridge.server.outbound.TwilioRest", lambda *_: Carrier())
    wanted = {
        "enabled": True,
        "caller_id": CALLED,
        "opt_out_file": tmp_path / "opt-out.txt",
        "from_hour": 0,
        "until_hour": 24,
        "calls_per_minute": 3,
    }
    offices = await open_crew(
        outbound=Outbound.model_validate(wanted),
        api_token=SecretStr("api-token"),
        twilio_account_sid="AC1",
        public_url="https://bridge.example.com",
    )
    wish = {"to": "+493012345678", "persona": "front-desk", "consent": True}
    placed = [
        await ask(offices[number % 2].bridge.url + "/calls", "api-token", wish)
        for number in range(6)
    ]
    assert [status for status, _ in placed] == [201] * 3 + [429] * 3
    assert {answer["error"] for status, answer in placed if status == 429} == {"rate"}
