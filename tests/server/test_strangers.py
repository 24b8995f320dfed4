"""Strangers with sockets: they cost little, are gone soon, and hurt no call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import structlog
from server_office import AUTH_TOKEN, WITHIN_S, Office, get

from voicebridge.rehearsal.raw_stream import RawStream
from voicebridge.rehearsal.signing import signature_header
from voicebridge.server.door import BURST, MOST_HEAD_BYTES, TURNED_AWAY, Networks, Porch, Turnstile
from voicebridge.server.refusals import EVERY_S, Refusals
from voicebridge.settings import Limits, Security

OpenOffice = Callable[..., Awaitable[Office]]

HALF_A_HEAD = b"GET /twilio/media HTTP/1.1\r\nHost: x\r\n"


async def knock(stack: AsyncExitStack, office: Office, said: bytes) -> asyncio.StreamReader:
    url = urlsplit(office.bridge.url)
    async with asyncio.timeout(WITHIN_S):
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
    stack.callback(writer.close)
    writer.write(said)
    return reader


async def is_sent_away(reader: asyncio.StreamReader) -> None:
    async with asyncio.timeout(2 * WITHIN_S):
        try:
            told = await reader.read()
            assert not told or told.startswith(b"HTTP/1.0 400")
        except ConnectionError:
            return


async def crowd(office: Office, size: int) -> None:
    async with AsyncExitStack() as stack, office.call() as line:
        readers = []
        for number in range(size):
            said = (b"", HALF_A_HEAD, b"\x16\x03\x01")[number % 3]
            readers.append(await knock(stack, office, said))
            if number % 50 == 0:
                await line.is_answered()
        await line.is_answered()
        async with asyncio.TaskGroup() as tasks:
            for reader in readers:
                tasks.create_task(is_sent_away(reader))
        await office.ends_well(line)
    assert len(office.model.sessions) == 1


async def test_two_hundred_strangers_do_not_hurt_a_call_and_are_gone_soon(
    open_office: OpenOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicebridge.server.door.KNOWN_WITHIN_S", 0.5)
    await crowd(await open_office(*["Yes."] * 30), 200)


@pytest.mark.slow
async def test_two_thousand_strangers_do_not_hurt_a_call_and_are_gone_soon(
    open_office: OpenOffice,
) -> None:
    await crowd(await open_office(*["Yes."] * 60), 2000)


async def test_a_head_without_end_is_cut_off(open_office: OpenOffice) -> None:
    office = await open_office()
    async with AsyncExitStack() as stack:
        said = HALF_A_HEAD + b"X: " + b"x" * MOST_HEAD_BYTES
        await is_sent_away(await knock(stack, office, said))


async def test_a_head_in_pieces_is_read_like_any_other(open_office: OpenOffice) -> None:
    office = await open_office()
    url = urlsplit(office.bridge.url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    for byte in b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n":
        writer.write(bytes([byte]))
        await writer.drain()
    async with asyncio.timeout(WITHIN_S):
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
    writer.close()


def test_one_address_waits_in_few_places_and_a_proxy_in_many() -> None:
    refusals = Refusals()
    porch = Porch(100, 2, Networks(["10.0.0.0/8"]), refusals)
    sent_away: list[int] = []
    assert [porch.enter(n, "192.0.2.1", lambda: None) for n in range(3)] == [True, True, False]
    assert all(porch.enter(n, "10.1.2.3", lambda: None) for n in range(3, 30))
    porch.leave(0)
    assert porch.enter(0, "192.0.2.1", lambda: sent_away.append(0))
    porch.leave("nobody")
    assert (len(porch), sent_away, refusals.counted) == (29, [], {TURNED_AWAY: 1})


def test_a_household_of_ipv6_counts_as_one_address() -> None:
    porch = Porch(100, 2, Networks([]))
    came = ["2001:db8::1", "2001:db8::2", "2001:db8::ffff", "2001:db8:0:1::1", "not:an:address"]
    let_in = [porch.enter(number, address, lambda: None) for number, address in enumerate(came)]
    assert let_in == [True, True, False, True, True]
    mapped = ["192.0.2.1", "::ffff:192.0.2.1", "::ffff:192.0.2.1"]
    assert [porch.enter(name + "x", name, lambda: None) for name in mapped[:2]] == [True, True]
    assert not porch.enter("third", mapped[2], lambda: None)
    porch.leave(0)
    assert porch.enter(0, "2001:db8::3", lambda: None)


def test_who_has_waited_long_makes_room_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voicebridge.server.door.PATIENCE_S", 0.0)
    porch, sent_away = Porch(3, 3, Networks(["10.0.0.0/8"])), []

    def leaver(who: int) -> Callable[[], None]:
        return lambda: sent_away.append(who)

    assert all(porch.enter(who, "10.0.0.1", leaver(who)) for who in range(5))
    assert (sent_away, len(porch)) == ([0, 1], 3)


def test_a_burst_is_let_in_and_bounded() -> None:
    porch = Porch(3, 3, Networks(["10.0.0.0/8"]))
    entered = [porch.enter(who, "10.0.0.1", lambda: None) for who in range(3 * BURST + 5)]
    assert sum(entered) == 3 * BURST


async def test_those_who_come_at_once_pass_one_at_a_time_with_a_turn_for_the_calls_between() -> (
    None
):
    turnstile, seen, done = Turnstile(), [], asyncio.Event()
    loop = asyncio.get_running_loop()

    def call_goes_on() -> None:
        seen.append("call")
        if not done.is_set():
            loop.call_soon(call_goes_on)

    for number in range(3):
        turnstile.queue(partial(seen.append, number))
    turnstile.queue(done.set)
    loop.call_soon(call_goes_on)
    async with asyncio.timeout(WITHIN_S):
        await done.wait()
    assert seen[:6] == [0, "call", 1, "call", 2, "call"]


async def test_one_that_stumbles_at_the_turnstile_holds_up_nobody() -> None:
    turnstile, passed, stumbled = Turnstile(), asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, _context: stumbled.set())

    def stumble() -> None:
        raise ConnectionError

    for go in (stumble, stumble, passed.set):
        turnstile.queue(go)
    async with asyncio.timeout(WITHIN_S):
        await passed.wait()
    assert stumbled.is_set()


async def test_who_is_known_is_not_sent_away_while_the_answer_takes_its_time(
    open_office: OpenOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicebridge.server.door.KNOWN_WITHIN_S", 0.05)
    office = await open_office(at="ws://127.0.0.1:1")
    late = asyncio.Event()
    asyncio.get_running_loop().call_later(0.3, late.set)
    board = office.bridge.switchboard

    async def take_their_time() -> Any:
        await late.wait()
        return board.personas

    monkeypatch.setattr(board, "take_up_personas", take_their_time)
    status, _ = await office.post("/twilio/voice", CallSid="CA1", From="+15550100001")
    assert (status, late.is_set()) == (200, True)


async def test_what_comes_while_a_connection_waits_for_its_turn_is_not_lost(
    open_office: OpenOffice,
) -> None:
    office = await open_office()
    async with AsyncExitStack() as stack:
        body = b"CallSid=" + b"x" * 60_000
        head = b"POST /twilio/voice HTTP/1.1\r\nHost: x\r\nX-Twilio-Signature: " + b"A" * 27 + b"="
        head += b"\r\nContent-Length: %d\r\n\r\n" % len(body)
        readers = [await knock(stack, office, head + body) for _ in range(20)]
        for reader in readers:
            async with asyncio.timeout(WITHIN_S):
                assert (await reader.read()).startswith(b"HTTP/1.1 403")


async def test_what_was_refused_is_counted_and_told_no_oftener_than_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(
        "voicebridge.server.refusals.time", SimpleNamespace(monotonic=lambda: clock.now)
    )
    refusals = Refusals()
    with structlog.testing.capture_logs() as lines:
        for _ in range(100):
            refusals.note("webhook_refused", why="unsigned")
        refusals.note("stream_refused", why="unsigned")
        clock.now += EVERY_S
        refusals.note("webhook_refused", why="unsigned")
    assert [(line["event"], line["count"]) for line in lines] == [
        ("webhook_refused", 1),
        ("stream_refused", 1),
        ("webhook_refused", 100),
    ]
    assert refusals.counted == {"webhook_refused": 101, "stream_refused": 1}


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("10.9.9.9", True),
        ("::ffff:10.9.9.9", True),
        ("fe80::1%eth0", True),
        ("11.0.0.1", False),
        ("unknown", False),
        ("", False),
    ],
)
def test_an_address_is_in_a_network_or_not(address: str, inside: bool) -> None:
    assert (address in Networks(["10.0.0.0/8", "fe80::/10"])) == inside


async def forwarded(office: Office, address: str, **more: Any) -> RawStream:
    raw = RawStream(office.media_url, auth_token=AUTH_TOKEN)
    raw._headers = {**raw._headers, "X-Forwarded-For": address, **more}
    return raw


async def test_streams_before_their_start_are_counted_by_the_address_behind_the_proxy(
    open_office: OpenOffice,
) -> None:
    security = Security(trusted_proxies=["127.0.0.1"])
    office = await open_office(limits=Limits(pending_per_address=2), security=security)
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(await forwarded(office, "198.51.100.9, 192.0.2.1"))
        with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
            await (await forwarded(office, "192.0.2.1")).connect()
        other = await stack.enter_async_context(await forwarded(office, "192.0.2.2"))
        token, _ = await office.answer(other.writer.call_sid)
        await other.begin(token=token)
        assert await other.read() is not None


@pytest.mark.parametrize("trusted", [True, False])
async def test_only_a_trusted_proxy_says_by_which_name_we_were_reached(
    open_office: OpenOffice, trusted: bool
) -> None:
    office = await open_office(security=Security(trusted_proxies=["127.0.0.1"] if trusted else []))
    form = [("CallSid", "CA1")]
    headers = {
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil.example, bridge.example.com",
        **signature_header(AUTH_TOKEN, "https://bridge.example.com/twilio/voice", form),
    }
    async with (
        aiohttp.ClientSession() as http,
        http.post(office.bridge.url + "/twilio/voice", data=form, headers=headers) as response,
    ):
        assert response.status == (200 if trusted else 403)
        if trusted:
            assert 'url="wss://bridge.example.com/twilio/media"' in await response.text()


async def test_the_old_auth_token_counts_while_it_is_replaced(open_office: OpenOffice) -> None:
    from pydantic import SecretStr

    office = await open_office(auth_token="new", twilio_auth_token_old=SecretStr(AUTH_TOKEN))
    assert (await office.post("/twilio/voice", CallSid="CA1"))[0] == 200
    async with RawStream(office.media_url, auth_token="new") as raw:
        await raw.send("{ no json")
        assert await raw.read() is None
    with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
        await RawStream(office.media_url, auth_token="older").connect()
    assert (await get(office.bridge.url + "/healthz"))[0] == 200
