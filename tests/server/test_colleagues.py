"""Colleagues who are asked before a transfer: who takes the call, who does not, who is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from types import SimpleNamespace

import pytest

from voicebridge.call.reasons import EndReason
from voicebridge.errors import ToolFailed
from voicebridge.outbound.carrier_actions import NewCall, NewMessage, RestError
from voicebridge.personas.destinations import Destination
from voicebridge.server import colleagues as module
from voicebridge.server.colleagues import NO_SUMMARY, NOBODY, Colleagues, ForCall, Front, room_of

CALLER, COLLEAGUE, BACK = "CA-caller", "CA-colleague", "https://b.example/back"
PLACE = Destination(number="+15550100020", mode="warm", ring_s=15, language="de-DE", ask="Eins?")
FRONT = Front(call_id=CALLER, our_number="+15550100002", base_url="https://b.example", worker="1")


class Carrier:
    """A carrier that notes what it is asked for; ``ready`` is when a call is placed."""

    def __init__(self) -> None:
        self.calls: list[NewCall] = []
        self.asked: list[tuple[str, ...]] = []
        self.error: RestError | None = None
        self.ready = asyncio.Event()
        self.ready.set()
        self._bell = asyncio.Condition()

    async def create_call(self, call: NewCall) -> str:
        await self._note(("call", call.to))
        await self.ready.wait()
        if self.error is not None:
            raise self.error
        self.calls.append(call)
        return COLLEAGUE

    async def hang_up(self, call_id: str) -> None:
        await self._note(("hang_up", call_id))

    async def redirect(self, call_id: str, url: str) -> bool:
        await self._note(("redirect", call_id, url))
        return True

    async def tell(self, call_id: str, words: str) -> bool:
        await self._note(("tell", call_id, words))
        return True

    async def send_message(self, message: NewMessage) -> str:
        raise AssertionError

    async def close(self) -> None:
        return None

    async def until(self, *asked: str) -> None:
        """Wait until the last thing that was asked for is this."""
        async with asyncio.timeout(5), self._bell:
            await self._bell.wait_for(lambda: bool(self.asked) and self.asked[-1] == asked)

    async def until_called(self, times: int) -> None:
        """Wait until so many calls were asked for."""
        async with asyncio.timeout(5), self._bell:
            await self._bell.wait_for(
                lambda: sum(asked[0] == "call" for asked in self.asked) >= times
            )

    async def _note(self, asked: tuple[str, ...]) -> None:
        async with self._bell:
            self.asked.append(asked)
            self._bell.notify_all()


@pytest.fixture
async def carrier() -> Carrier:
    return Carrier()


@pytest.fixture
async def desk(carrier: Carrier) -> AsyncIterator[Colleagues]:
    """The colleagues of a bridge, which goes down at the end."""
    colleagues = Colleagues(carrier)
    yield colleagues
    await colleagues.close()


Asking = asyncio.Task[None]


async def ask(
    desk: Colleagues, carrier: Carrier, summary: str = "Tooth ache.", front: Front = FRONT
) -> Asking:
    """Begin to ask, and return when the colleague is being called."""
    before = sum(asked[0] == "call" for asked in carrier.asked)
    asking = asyncio.create_task(ForCall(desk, front).fetch("dentist", PLACE, summary))
    await carrier.until_called(before + 1)
    return asking


async def taken(desk: Colleagues, carrier: Carrier) -> None:
    """Ask, and have the call taken."""
    asking = await ask(desk, carrier)
    assert desk.choose(CALLER, "1", "1")
    await asking


async def why_not(asking: Awaitable[None]) -> str:
    with pytest.raises(ToolFailed) as caught:
        await asking
    return str(caught.value)


async def test_who_presses_one_takes_the_call(desk: Colleagues, carrier: Carrier) -> None:
    asking = await ask(desk, carrier)
    assert desk.words_for(CALLER, "1") == ("Tooth ache. Eins?", "de-DE")
    desk.heard_of(CALLER, "1", "ringing")
    desk.heard_of(CALLER, "1", "in-progress")
    assert not asking.done()
    assert desk.choose(CALLER, "1", "1")
    await asking
    (call,) = carrier.calls
    query = f"bridge.call={CALLER}&bridge.worker=1&bridge.attempt=1"
    assert call == NewCall(
        to=PLACE.number,
        caller_id="+15550100002",
        voice_url=f"https://b.example/twilio/colleague?{query}",
        status_url=f"https://b.example/twilio/colleague-status?{query}",
        ring_s=15,
    )
    desk.stream_ended(CALLER, EndReason.TRANSFERRED)
    assert desk.send_caller(CALLER, BACK) == room_of(CALLER)
    assert desk.send_caller(CALLER, BACK) is None
    assert not desk.has_missed(CALLER)
    desk.heard_of(CALLER, "1", "completed")
    assert carrier.asked == [("call", PLACE.number)]


async def test_without_a_summary_the_colleague_hears_that_there_is_a_caller(
    desk: Colleagues, carrier: Carrier
) -> None:
    asking = await ask(desk, carrier, "  ")
    assert desk.words_for(CALLER, "1") == (f"{NO_SUMMARY} Eins?", "de-DE")
    desk.heard_of(CALLER, "1", "busy")
    await why_not(asking)


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ("busy", "busy"),
        ("no-answer", "no answer"),
        ("completed", "declined"),
        ("failed", "could not be placed"),
        ("canceled", "could not be placed"),
    ],
)
async def test_who_does_not_take_the_call_leaves_the_caller_with_the_agent(
    desk: Colleagues, carrier: Carrier, status: str, why: str
) -> None:
    asking = await ask(desk, carrier)
    desk.heard_of(CALLER, "1", status)
    told = await why_not(asking)
    assert told.startswith(f"dentist did not take the call: {why}" if len(why) < 12 else "dentist")
    assert why in told
    assert "still with you" in told
    assert desk.send_caller(CALLER, BACK) is None
    assert carrier.asked == [("call", PLACE.number)]


@pytest.mark.parametrize("key", ["2", "9", "*", "#", "11", ""])
async def test_any_other_key_declines(desk: Colleagues, carrier: Carrier, key: str) -> None:
    asking = await ask(desk, carrier)
    assert not desk.choose(CALLER, "1", key)
    assert "declined" in await why_not(asking)
    assert not desk.choose(CALLER, "1", "1")
    assert desk.words_for(CALLER, "1") is None


async def test_a_carrier_that_refuses_is_told_in_plain_words(
    desk: Colleagues, carrier: Carrier
) -> None:
    carrier.error = RestError("secret details", status=400, code=21211)
    told = await why_not(ForCall(desk, FRONT).fetch("dentist", PLACE, ""))
    assert "could not be placed" in told
    assert "secret" not in told


async def test_who_answers_and_does_nothing_is_not_waited_for(
    desk: Colleagues, carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LISTEN_WITHIN_S", -14.95)
    asking = await ask(desk, carrier)
    assert "no answer" in await why_not(asking)
    await carrier.until("hang_up", COLLEAGUE)


async def test_a_caller_who_hangs_up_while_it_rings_ends_the_ringing(
    desk: Colleagues, carrier: Carrier
) -> None:
    asking = await ask(desk, carrier)
    asking.cancel()
    await asyncio.wait({asking})
    await carrier.until("hang_up", COLLEAGUE)
    assert desk.words_for(CALLER, "1") is None


async def test_a_call_that_is_placed_too_late_is_ended_as_soon_as_it_is_known(
    desk: Colleagues, carrier: Carrier
) -> None:
    carrier.ready.clear()
    asking = await ask(desk, carrier)
    asking.cancel()
    await asyncio.wait({asking})
    carrier.ready.set()
    await carrier.until("hang_up", COLLEAGUE)


async def test_a_call_that_was_never_placed_is_not_ended(
    desk: Colleagues, carrier: Carrier
) -> None:
    carrier.ready.clear()
    carrier.error = RestError("no", status=500)
    asking = await ask(desk, carrier)
    asking.cancel()
    await asyncio.wait({asking})
    carrier.ready.set()
    await desk.close()
    assert carrier.asked == [("call", PLACE.number)]


@pytest.mark.parametrize(
    "reason", [EndReason.CALLER_HUNG_UP, EndReason.AGENT_HUNG_UP, EndReason.CARRIER_LOST], ids=str
)
async def test_a_colleague_whose_caller_is_gone_is_told_so(
    desk: Colleagues, carrier: Carrier, reason: EndReason
) -> None:
    await taken(desk, carrier)
    desk.stream_ended(CALLER, reason)
    await carrier.until("tell", COLLEAGUE, NOBODY)
    assert desk.send_caller(CALLER, BACK) is None


async def test_a_colleague_whose_caller_never_arrives_is_told_so(
    desk: Colleagues, carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "JOIN_WITHIN_S", 0.01)
    await taken(desk, carrier)
    desk.stream_ended(CALLER, EndReason.TRANSFERRED)
    await carrier.until("tell", COLLEAGUE, NOBODY)


async def test_a_bridge_that_goes_down_leaves_no_colleague_waiting(
    desk: Colleagues, carrier: Carrier
) -> None:
    await taken(desk, carrier)
    await desk.close()
    assert carrier.asked[-1] == ("tell", COLLEAGUE, NOBODY)


async def test_a_caller_is_not_sent_to_a_colleague_who_has_gone(
    desk: Colleagues, carrier: Carrier
) -> None:
    await taken(desk, carrier)
    desk.heard_of(CALLER, "1", "completed")
    desk.stream_ended(CALLER, EndReason.TRANSFERRED)
    assert desk.send_caller(CALLER, BACK) is None
    assert len(carrier.asked) == 1


async def test_a_caller_who_has_just_missed_the_colleague_is_brought_back(
    desk: Colleagues, carrier: Carrier
) -> None:
    await taken(desk, carrier)
    desk.send_caller(CALLER, BACK)
    desk.heard_of(CALLER, "1", "completed")
    await carrier.until("redirect", CALLER, BACK)
    assert desk.has_missed(CALLER)
    assert not desk.has_missed(CALLER)


async def test_who_has_talked_to_the_colleague_is_left_alone(
    desk: Colleagues, carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    await taken(desk, carrier)
    desk.send_caller(CALLER, BACK)
    clock.now += module.MISSED_WITHIN_S + 0.1
    desk.heard_of(CALLER, "1", "completed")
    assert not desk.has_missed(CALLER)
    assert len(carrier.asked) == 1


async def test_one_colleague_is_asked_at_a_time(desk: Colleagues, carrier: Carrier) -> None:
    first = await ask(desk, carrier)
    assert "under way" in await why_not(ForCall(desk, FRONT).fetch("other", PLACE, ""))
    desk.heard_of(CALLER, "1", "busy")
    await why_not(first)
    second = await ask(desk, carrier)
    desk.heard_of(CALLER, "1", "completed")  # the first one's, late
    assert desk.choose(CALLER, "1", "1") is False
    assert not second.done()
    assert desk.choose(CALLER, "2", "1")
    await second


async def test_strangers_take_nobodys_call(desk: Colleagues, carrier: Carrier) -> None:
    asking = await ask(desk, carrier)
    for call_id, attempt in (("CA-other", "1"), (CALLER, "2"), (CALLER, ""), ("", "")):
        assert desk.words_for(call_id, attempt) is None
        assert not desk.choose(call_id, attempt, "1")
        desk.heard_of(call_id, attempt, "busy")
    assert not asking.done()
    desk.heard_of(CALLER, "1", "busy")
    await why_not(asking)


async def test_only_so_many_transfers_are_remembered(
    carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    desk = Colleagues(carrier)
    for number in range(5):
        front = Front(call_id=f"CA{number}", our_number="+15550100002", base_url="")
        asking = await ask(desk, carrier, front=front)
        assert desk.choose(front.call_id, str(number + 1), "1")
        await asking
    assert [bool(desk.send_caller(f"CA{n}", BACK)) for n in range(5)] == [False] * 2 + [True] * 3
