"""A stream is let in by a token of ours: for its own call, once, and soon."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace

import pytest
from server_office import AUTH_TOKEN, WITHIN_S, Office

from voicebridge.rehearsal.raw_stream import RawStream
from voicebridge.server.security import MOST_TOKENS, TOKEN_LIFE_S, Expected, StreamTokens

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


async def test_of_fifty_streams_with_one_token_exactly_one_comes_in(
    open_office: OpenOffice,
) -> None:
    office = await open_office()
    token, _ = await office.answer("CA1")
    async with asyncio.timeout(4 * WITHIN_S), asyncio.TaskGroup() as tasks:
        tries = [tasks.create_task(try_token(office, "CA1", token=token)) for _ in range(50)]
    assert sum(attempt.result() for attempt in tries) == 1
    await office.shelf.record_of("CA1")
    await office.model.all_over()
    assert len(office.model.served) == 1


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
