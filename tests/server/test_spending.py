"""What calls cost, and what becomes of them when that is too much."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from server_office import CALLED, CALLER, Office

from voicebridge.call import events as ev
from voicebridge.call.reasons import EndReason
from voicebridge.realtime import Usage
from voicebridge.server.prices import BUILT_IN, DEAREST, cost_usd, prices_of
from voicebridge.server.spending import DAY_S, HOUR_S, WRAP_UP, Spending
from voicebridge.settings import Limits, Prices

OpenOffice = Callable[..., Awaitable[Office]]

PAGE_EXAMPLE = {
    "total_tokens": 253,
    "input_tokens": 132,
    "output_tokens": 121,
    "input_token_details": {
        "text_tokens": 119,
        "audio_tokens": 13,
        "cached_tokens": 64,
        "cached_tokens_details": {"text_tokens": 64, "audio_tokens": 0},
    },
    "output_token_details": {"text_tokens": 30, "audio_tokens": 91},
}
MILLION = Usage.model_validate(
    {"output_tokens": 1_000_000, "output_token_details": {"audio_tokens": 1_000_000}}
)


def usage(**changes: Any) -> Usage:
    return Usage.model_validate(PAGE_EXAMPLE | changes)


def test_a_response_costs_what_its_tokens_cost() -> None:
    by_hand = (55 * 4.00 + 64 * 0.40 + 13 * 32 + 30 * 24.00 + 91 * 64) / 1e6
    assert cost_usd(usage(), BUILT_IN["gpt-realtime-2.1"]) == pytest.approx(by_hand)


def test_cached_tokens_without_their_kind_are_spread_in_proportion() -> None:
    details = {"text_tokens": 75, "audio_tokens": 25, "cached_tokens": 40}
    by_hand = (45 * 4.00 + 30 * 0.40 + 15 * 32 + 10 * 0.40 + 30 * 24.00 + 91 * 64) / 1e6
    told = usage(input_tokens=100, input_token_details=details)
    assert cost_usd(told, BUILT_IN["gpt-realtime-2.1"]) == pytest.approx(by_hand)


def test_tokens_of_no_kind_count_as_audio() -> None:
    told = Usage.model_validate({"input_tokens": 10, "output_tokens": 20})
    assert cost_usd(told, BUILT_IN["gpt-realtime"]) == pytest.approx((320 + 1280) / 1e6)
    assert cost_usd(Usage.model_validate({}), DEAREST) == 0


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**7))
def test_a_response_never_costs_less_than_nothing(text: int, audio: int, cached: int) -> None:
    details = {"text_tokens": text, "audio_tokens": audio, "cached_tokens": cached}
    assert cost_usd(usage(input_token_details=details), DEAREST) > 0


def test_the_settings_prices_lie_over_the_built_in_ones() -> None:
    own = Prices(text_in=1, text_cached=1, text_out=1, audio_in=1, audio_cached=1, audio_out=1)
    assert prices_of("gpt-realtime", {"gpt-realtime": own}) is own
    assert prices_of("gpt-realtime-2.1-mini-2026-10-01", {}) is BUILT_IN["gpt-realtime-2.1-mini"]
    assert prices_of("some-other-model", {}) is DEAREST


def test_an_agent_is_told_at_four_fifths_and_its_call_ends_at_the_whole() -> None:
    purse = Spending(Limits(spend_per_call_usd=100)).purse(BUILT_IN["gpt-realtime"])
    told: list[ev.Event] = []
    purse.feed = told.append
    tenth = Usage.model_validate({"output_tokens": 156_250})  # 10 dollars
    for count in range(1, 13):
        purse.used(tenth)
        assert len(told) == (count >= 8) + (count >= 10)
    assert told[0] == ev.Advised(WRAP_UP)
    assert isinstance(told[1], ev.GoodbyeRequested)
    assert told[1].reason is EndReason.SPEND_LIMIT
    assert purse.spent_usd == pytest.approx(120)


def test_who_goes_over_the_cap_at_once_is_not_told_to_wrap_up_after_the_goodbye() -> None:
    purse = Spending(Limits(spend_per_call_usd=1)).purse(BUILT_IN["gpt-realtime"])
    told: list[ev.Event] = []
    purse.feed = told.append
    for _ in range(3):
        purse.used(MILLION)
    assert [type(event) for event in told] == [ev.GoodbyeRequested]


@pytest.mark.parametrize(
    ("limits", "length_s"),
    [
        (Limits(spend_per_hour_usd=64, spend_per_day_usd=None), HOUR_S),
        (Limits(spend_per_hour_usd=None, spend_per_day_usd=64), DAY_S),
    ],
    ids=["hour", "day"],
)
def test_an_hour_and_a_day_may_cost_so_much_and_then_begin_anew(
    monkeypatch: pytest.MonkeyPatch, limits: Limits, length_s: float
) -> None:
    clock = SimpleNamespace(now=1_000_000.0)
    fake = SimpleNamespace(monotonic=lambda: clock.now)
    monkeypatch.setattr("voicebridge.server.spending.time", fake)
    spending = Spending(limits)
    spending.purse(BUILT_IN["gpt-realtime"]).used(MILLION)
    assert spending.exhausted
    clock.now += length_s - 61
    assert spending.exhausted
    clock.now += 122
    assert not spending.exhausted
    assert time.monotonic() != clock.now


async def test_a_call_over_its_cap_is_told_and_ends_with_a_goodbye(
    open_office: OpenOffice,
) -> None:
    office = await open_office("Hello.", "Goodbye.", limits=Limits(spend_per_call_usd=1e-9))
    async with office.call() as line:
        await line.until_closed()
        record = await office.ended(line)
    assert record["ended"] == "spend_limit"
    assert record["spent_usd"] > 0
    assert len(office.model.served[0].responses) == 2


async def test_when_the_hour_is_spent_callers_get_the_busy_tone_and_no_model(
    open_office: OpenOffice,
) -> None:
    office = await open_office(limits=Limits(spend_per_hour_usd=1))
    office.bridge.switchboard.spending.add(1.0)
    _, twiml = await office.post("/twilio/voice", CallSid="CA1", From=CALLER, To=CALLED)
    assert '<Reject reason="busy"' in twiml
    assert office.model.sessions == []


async def test_a_number_may_call_so_often_a_minute(
    open_office: OpenOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=1000.0)
    fake = SimpleNamespace(monotonic=lambda: clock.now)
    monkeypatch.setattr("voicebridge.server.callers.time", fake)
    office = await open_office(limits=Limits(calls_per_caller_per_minute=2))

    async def is_answered(call_id: str, caller: str = CALLER) -> bool:
        _, twiml = await office.post("/twilio/voice", CallSid=call_id, From=caller, To=CALLED)
        return "<Connect>" in twiml

    assert [await is_answered(call_id) for call_id in ("CA1", "CA2", "CA3")] == [True, True, False]
    assert await is_answered("CA4", "+15550100077")
    assert all([await is_answered(f"CB{number}", "anonymous") for number in range(4)])
    clock.now += 61
    assert await is_answered("CA5")
