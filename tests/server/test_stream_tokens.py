"""A stream is let in by a token of ours: for its own call, once, and soon."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace

import pytest
from server_office import AUTH_TOKEN, WITHIN_S, Office, wire

from voicebridge.rehearsal.raw_stream import RawStream
from voicebridge.rehearsal.signing import sign
from voicebridge.server.security import MOST_TOKENS, TOKEN_LIFE_S, Expected, StreamTokens
from voicebridge.settings import Limits

OpenOffice = Callable[..., Awaitable[Office]]


async def try_token(office: Office, call_id: str, **parameters: str) -> bool:
    """Start a stream and tell whether it was let in: whether it hears something."""
    async with RawStream(office.media_url, auth_token=AUTH_TOKEN) as raw:
        raw.writer.call_sid = call_id
        await raw.begin(**parameters)
        heard = await raw.read()
        assert heard is not None or raw.close_code == 1008
        return heard is not None


async def test_a_token_lets_its_own_call_in(open_office: OpenOffice) -> None:
    office = await open_office()
    token, _ = await office.answer("CA1")
    assert await try_token(office, "CA1", token=token)
    await office.shelf.record_of("CA1")
    await office.model.all_over()


@pytest.mark.parametrize(
    "parameters", [{}, {"token": ""}, {"token": "unknown"}, {"persona": "night-line"}], ids=str
)
async def test_without_a_token_of_ours_nobody_comes_in(
    open_office: OpenOffice, parameters: dict[str, str]
) -> None:
    office = await open_office()
    await office.answer("CA1")
    assert not await try_token(office, "CA1", **parameters)
    assert office.model.served == []


async def test_another_calls_token_lets_nobody_in_and_stays_good_for_its_own(
    open_office: OpenOffice,
) -> None:
    office = await open_office()
    token, _ = await office.answer("CA1")
    await office.answer("CA2")
    assert not await try_token(office, "CA2", token=token)
    assert office.model.served == []
    assert await try_token(office, "CA1", token=token)
    await office.shelf.record_of("CA1")


async def test_a_token_is_good_once(open_office: OpenOffice) -> None:
    office = await open_office()
    token, _ = await office.answer("CA1")
    assert await try_token(office, "CA1", token=token)
    await office.shelf.record_of("CA1")
    assert not await try_token(office, "CA1", token=token)
    assert len(office.model.served) == 1


class Replay:
    """A stream that says what it is told, byte by byte; a thousand of them cost next to nothing."""

    def __init__(self, office: Office, call_id: str, token: str) -> None:
        self._office = office
        writer = wire.StreamWriter("MZ" + call_id[2:], call_id, "AC" + "0" * 32)
        self._start = masked(wire.CONNECTED) + masked(writer.start({"token": token}))

    async def knock(self) -> None:
        """Open a socket and shake hands."""
        host, port = self._office.bridge.url.removeprefix("http://").split(":")
        self._reader, self._writer = await asyncio.open_connection(host, int(port))
        signature = sign(AUTH_TOKEN, self._office.media_url)
        self._writer.write(
            f"GET /twilio/media HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nX-Twilio-Signature: "
            f"{signature}\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        assert (await self._reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")

    async def is_let_in(self) -> bool:
        """Say the start, and tell whether something is heard or the stream is closed with 1008."""
        self._writer.write(self._start)
        first = await self._reader.readexactly(4)
        self._writer.close()
        assert first[0] == 0x81 or first == b"\x88\x02" + (1008).to_bytes(2, "big")
        return first[0] == 0x81


def masked(text: str) -> bytes:
    body = text.encode()
    return b"\x81\xfe" + len(body).to_bytes(2, "big") + b"\0\0\0\0" + body


async def replay(office: Office, token: str, tries: int) -> list[bool]:
    """Shake hands as often as that, then say the start everywhere at once."""
    other = [f"CA{number}" if number % 4 == 3 else "CA1" for number in range(tries)]
    streams = [Replay(office, call_id, token) for call_id in other]
    async with asyncio.timeout(8 * WITHIN_S):
        await asyncio.gather(*(stream.knock() for stream in streams))
        return await asyncio.gather(*(stream.is_let_in() for stream in streams))


async def test_of_a_thousand_streams_with_one_token_exactly_one_comes_in(
    open_office: OpenOffice,
) -> None:
    office = await open_office(limits=Limits(pending_sockets=1000), start_timeout_s=60)
    token, _ = await office.answer("CA1")
    let_in = await replay(office, token, 1000)
    assert sum(let_in) == 1
    assert not any(let_in[3::4])
    await office.shelf.record_of("CA1")
    await office.model.all_over()
    assert len(office.model.served) == 1
    assert not any(await replay(office, token, 20))


async def test_a_call_that_has_a_stream_gets_no_second(open_office: OpenOffice) -> None:
    office = await open_office()
    async with office.call() as line:
        token, _ = await office.answer(line.call_id)
        assert not await try_token(office, line.call_id, token=token)
        await office.ends_well(line)
    assert len(office.model.served) == 1


@pytest.mark.parametrize(("age_s", "good"), [(TOKEN_LIFE_S - 1, True), (TOKEN_LIFE_S + 1, False)])
async def test_a_token_is_good_for_a_minute(
    open_office: OpenOffice, monkeypatch: pytest.MonkeyPatch, age_s: float, good: bool
) -> None:
    office = await open_office()
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(
        "voicebridge.server.security.time", SimpleNamespace(monotonic=lambda: clock.now)
    )
    token, _ = await office.answer("CA1")
    clock.now += age_s
    assert await try_token(office, "CA1", token=token) == good
    assert len(office.model.served) == good


def test_only_so_many_tokens_are_kept_and_the_oldest_go_first() -> None:
    tokens = StreamTokens()
    minted = [
        tokens.mint(Expected(str(number), "persona", "", "")) for number in range(MOST_TOKENS + 1)
    ]
    assert len(set(minted)) == MOST_TOKENS + 1
    assert tokens.spend(minted[0], "0") is None
    assert tokens.spend(minted[-1], str(MOST_TOKENS)) is not None


async def test_without_a_token_of_the_carrier_a_stream_comes_in_by_itself(
    open_office: OpenOffice,
) -> None:
    office = await open_office(auth_token=None)
    assert await try_token(office, "CA1", persona="night-line")
    assert (await office.shelf.record_of("CA1"))["persona"] == "night-line"
    assert await try_token(office, "CA2", persona="nobody")
    assert (await office.shelf.record_of("CA2"))["persona"] == "front-desk"
    assert not await try_token(office, "CA3", token="unknown")
    assert len(office.model.served) == 2
