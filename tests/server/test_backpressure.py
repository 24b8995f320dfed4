"""Ends that do not keep up, over real sockets: what waits is bounded, in order, and not lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from server_office import WITHIN_S, Line, Office
from steered_model import SteeredModel, SteeredSession

from voicebridge.bridge import brake, call_runner, carrier_leg, model_leg
from voicebridge.bridge.brake import Brake
from voicebridge.bridge.phrases import load_phrases

pytestmark = pytest.mark.slow

OpenOffice = Callable[..., Awaitable[Office]]
TROUBLE = load_phrases()["trouble"]
MINUTE_BYTES = 8000 * 60


def noise(size_bytes: int, seed: int = 1) -> bytes:
    """Audio in which no two frames are the same, and none is silence."""
    return random.Random(seed).randbytes(size_bytes)


@pytest.fixture
async def model(models: AsyncExitStack) -> SteeredModel:
    return await models.enter_async_context(SteeredModel())


@pytest.fixture
async def office(open_office: OpenOffice, model: SteeredModel) -> Office:
    return await open_office(at=model.url)


class WatchedBrake(Brake):
    """A brake that keeps the most that has waited for the carrier."""

    __slots__ = ("most",)

    def check(self) -> None:
        self.most = max(self.most, self._carrier.waiting)
        super().check()


@pytest.fixture
def brakes(model: SteeredModel, monkeypatch: pytest.MonkeyPatch) -> list[WatchedBrake]:
    """The brakes of the calls to come; the model's bell rings when they are looked at."""
    made: list[WatchedBrake] = []

    class Ringing(WatchedBrake):
        __slots__ = ()

        def __init__(self, carrier: Any, playout: Any) -> None:
            super().__init__(carrier, playout)
            self.most = 0
            made.append(self)

        def check(self) -> None:
            super().check()
            model.bell.ring()

    monkeypatch.setattr(call_runner, "Brake", Ringing)
    return made


# --- the model does not read ----------------------------------------------------------------------


async def fill_up(line: Line, session: SteeredSession) -> None:
    """Let the caller talk to a session that does not read, for longer than sockets hold."""
    session.stop_reading()
    await line.say(noise(40 * 8000))


async def test_frames_behind_a_model_that_does_not_read_are_merged_and_none_is_lost(
    office: Office, model: SteeredModel
) -> None:
    async with office.call(greeted=False) as line, office.call(greeted=False) as other:
        session, beside = await model.ready(0), await model.ready(1)
        await line.say(noise(1600, seed=2))
        await model.until(lambda: session.heard == line.sent)
        await fill_up(line, session)
        await other.say(noise(1600, seed=3))
        await model.until(lambda: beside.heard == other.sent)
        before = len(session.appends)
        session.read_on()
        await model.until(lambda: session.heard == line.sent)
        merged = len(session.appends) - before
        assert merged < 40 * 50 / 2
        assert max(map(len, session.appends)) > 5 * 8000
        for at in range(3):  # and none is kept back any longer
            await line.say(noise(160, seed=at))
            await model.until(lambda: session.heard == line.sent)
            assert session.appends[-1] == line.sent[-160:]
        await line.hang_up()
        record = await office.ended(line)
        assert (record["ended"], record["problems"]) == ("caller_hung_up", [])
        assert record["silence_filled_ms"] == 0
        await other.hang_up()


async def test_a_model_that_reads_no_more_is_lost_and_no_other_call_with_it(
    office: Office, model: SteeredModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_leg, "MOST_AUDIO_WAITING", 200_000)
    async with office.call(greeted=False) as line, office.call(greeted=False) as other:
        session, beside = await model.ready(0), await model.ready(1)
        await fill_up(line, session)
        await line.say(noise(400_000, seed=4))
        await line.until_heard(TROUBLE)
        await line.until_closed()
        record = await office.ended(line)
        assert record["ended"] == "model_lost"
        assert "stopped reading" in record["problems"][0]["what"]
        assert "<Dial" in (tail := await office.after_stream(line)) or "<Hangup" in tail
        session.read_on()
        await model.until(lambda: session.over)
        await other.say(noise(1600, seed=5))
        await model.until(lambda: beside.heard == other.sent)
        await other.hang_up()
        assert (await office.ended(other))["ended"] == "caller_hung_up"


# --- the carrier does not read --------------------------------------------------------------------


@pytest.fixture
async def deaf_line(office: Office, brakes: list[WatchedBrake]) -> AsyncIterator[Line]:
    """A phone that reads nothing until it is told to ``listen``."""
    async with office.answered() as (raw, token, after_url):
        await raw.begin(token=token)
        yield Line(raw, after_url)
        raw.drop()


async def test_a_model_far_ahead_of_a_carrier_that_does_not_read_is_held_and_nothing_is_lost(
    deaf_line: Line, model: SteeredModel, brakes: list[WatchedBrake]
) -> None:
    session, said = await model.ready(0), noise(20 * MINUTE_BYTES)
    session.speak(1, said)
    await model.until(lambda: session.held_back and brakes[0].held)
    assert brakes[0].most < 2 * brake.MOST_FOR_CARRIER
    async with asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(deaf_line.listen())
        await deaf_line._bell.until(lambda: len(deaf_line.heard) >= len(said), 4 * WITHIN_S)
        assert deaf_line.heard == said
        assert not brakes[0].held
        assert brakes[0].most < 2 * brake.MOST_FOR_CARRIER
        await deaf_line.say(noise(160))
        await model.until(lambda: session.heard[-160:] == noise(160))
        listening.cancel()


async def test_a_carrier_that_never_reads_again_is_given_up(
    office: Office,
    deaf_line: Line,
    model: SteeredModel,
    brakes: list[WatchedBrake],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(carrier_leg, "SEND_WITHIN_S", 0.2)
    session = await model.ready(0)
    session.speak(1, noise(20 * MINUTE_BYTES))
    record = await office.ended(deaf_line)
    assert record["ended"] == "carrier_lost"
    assert "took nothing for 0.2 s" in record["problems"][0]["what"]
    assert brakes[0].most < 2 * brake.MOST_FOR_CARRIER
    await model.until(lambda: session.over)


# --- the model is much faster than life -----------------------------------------------------------


async def test_minutes_of_speech_at_once_are_bounded_while_they_are_played(
    office: Office, model: SteeredModel, brakes: list[WatchedBrake]
) -> None:
    async with office.call(greeted=False) as line:
        session, said = await model.ready(0), noise(4 * MINUTE_BYTES)
        session.speak(1, said)
        await line._bell.until(lambda: len(line.heard) >= len(said), 4 * WITHIN_S)
        assert line.heard == said
        kept = brakes[0]._playout._line._kept  # type: ignore[attr-defined]
        assert len(kept) < MINUTE_BYTES
        await line.hang_up()
        assert (await office.ended(line))["problems"] == []


class Amounts:
    """What the brake looks at."""

    waiting = unsent_bytes = 0


class Held:
    """A model that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[bool] = []

    def hold(self, held: bool) -> None:
        self.told.append(held)


@pytest.mark.parametrize(
    ("amount", "most"),
    [("waiting", brake.MOST_FOR_CARRIER), ("unsent_bytes", brake.MOST_UNSENT_BYTES)],
)
def test_the_brake_holds_above_its_bound_and_lets_go_at_half(amount: str, most: int) -> None:
    amounts, model = Amounts(), Held()
    ours = Brake(amounts, amounts)
    setattr(amounts, amount, most + 1)
    ours.check()  # no model yet: nothing to hold
    ours.model = model
    for value in (most, most + 1, most, most // 2 + 1, most // 2, most, most + 1):
        setattr(amounts, amount, value)
        ours.check()
    assert model.told == [True, False, True]
