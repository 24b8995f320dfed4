"""Tools that go wrong in live calls: the call goes on, and so do its neighbours."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
from fault_calls import NEIGHBOUR, Evening, NoiseVoice, Row, play
from fault_tools import BLOCKED_S, LONG_S

from voicebridge.bridge.phrases import load_phrases
from voicebridge.call.tool_calls import TIMED_OUT, TOO_MANY
from voicebridge.tools.data import MAX_OUTPUT_BYTES

log = structlog.get_logger(__name__)
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("load")]

ONE_MOMENT = load_phrases()["one_moment"]
NEIGHBOURS = 20
LATEST_MS = 100


def twice(event: dict[str, Any]) -> list[dict[str, Any]]:
    return [event, event]


def malformed(event: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**event, "item": {**event["item"], "arguments": '{"number": '}}]


ROWS = {
    "slow": Row("slow", TIMED_OUT, filler=True, last_s=7),
    "hanging": Row("hang", TIMED_OUT, filler=True, last_s=7),
    "hanging in a thread": Row("hang_in_a_thread", TIMED_OUT, filler=True, last_s=7),
    "crashing": Row("crash", "The tool crash failed. Tell the caller so."),
    "ending itself": Row("leave", "ended with SystemExit"),
    "ending everything": Row("leave_at_once", "The tool leave_at_once failed."),
    "ten megabytes": Row("flood", "cut here: ", ok=True),
    "ten megabytes of text": Row("flood_of_text", "cut here: ", ok=True),
    "unserialisable": Row("unserialisable", "cannot be written as JSON"),
    "unknown": Row("werk", "There is no tool 'werk'. The tools are: work.", offered="work"),
    "malformed": Row("work", "arguments", mangle=malformed),
    "a hundred calls": Row("work", TOO_MANY, calls=100, noted=9),
    "delivered twice": Row("work", '{"status":"done"}', ok=True, mangle=twice),
}
"""The table of faults; ``noted`` are the calls that the record is to have."""


LAST_WORDS = NoiseVoice().speak("So that is it.").audio


@pytest.fixture(scope="module")
def evening(tmp_path_factory: pytest.TempPathFactory) -> Evening:
    """Play all faults at once, with their neighbours; again if this machine was busy elsewhere."""
    for _ in range(3):
        played = asyncio.run(play(tmp_path_factory.mktemp("faults"), ROWS, NEIGHBOURS))
        if played.latest_ms(NEIGHBOUR) <= LATEST_MS:
            break
    return played


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> Evening:
    """Play as many calls, of which none has a tool that goes wrong."""
    return asyncio.run(play(tmp_path_factory.mktemp("control"), {}, NEIGHBOURS + len(ROWS)))


@pytest.mark.parametrize("name", ROWS)
def test_the_call_goes_on_whose_tool_is(evening: Evening, name: str) -> None:
    row, (call,) = ROWS[name], evening.calls[name]
    call.nothing_is_lost()
    noted = call.record["tools"]
    assert len(noted) == row.noted
    assert {entry["name"] for entry in noted} == {row.tool}
    assert noted[-1]["ok"] is row.ok
    assert row.told in noted[-1]["output"]
    assert all(len(entry["output"].encode()) <= MAX_OUTPUT_BYTES for entry in noted)
    outputs = [made.output for made in call.session.tool_calls]
    assert [output for output in outputs if output is not None] == [e["output"] for e in noted]
    assert call.session.received["conversation.item.create"] == len(noted)
    assert (ONE_MOMENT in call.phone.heard_audio) is row.filler
    assert (LAST_WORDS in call.phone.heard_audio) is (row.calls == 1)


def test_no_neighbour_loses_a_frame_or_gets_one_late(evening: Evening, control: Evening) -> None:
    neighbours = evening.calls[NEIGHBOUR]
    assert len(neighbours) == NEIGHBOURS
    for call in [*neighbours, *control.calls[NEIGHBOUR]]:
        call.nothing_is_lost()
        assert call.record["tools"] == []
    latest_ms, usual_ms = evening.latest_ms(NEIGHBOUR), control.latest_ms(NEIGHBOUR)
    log.info("latest_frame", of=NEIGHBOURS, ms=round(latest_ms), without_ms=round(usual_ms))
    assert latest_ms <= LATEST_MS + usual_ms + evening.own_lag_ms


def test_what_goes_wrong_is_told_to_the_operator_and_only_by_its_name(evening: Evening) -> None:
    assert evening.code == 0
    assert len(evening.logged("tool_ignores_stop")) == 1
    assert evening.logged("tool_ignores_stop", tool="hang")
    assert {line["tool"] for line in evening.logged("tool_failed")} == {"crash", "leave_at_once"}
    (crash,) = evening.logged("tool_failed", tool="crash")
    assert crash["call_id"] == evening.calls["crashing"][0].phone.call_sid
    assert not [line for line in evening.log if line["event"] == "call_fault"]
    for call in (call for calls in evening.calls.values() for call in calls):
        assert "hush-hush" not in str(call.record) + str(call.session.told)


def test_a_tool_that_blocks_the_loop_is_named_and_nothing_is_lost(tmp_path: Path) -> None:
    rows = {"blocking": Row("block", '{"status":"done"}', ok=True, last_s=BLOCKED_S + 4)}
    evening = asyncio.run(play(tmp_path, rows, neighbours=3))
    for call in evening.calls["blocking"] + evening.calls[NEIGHBOUR]:
        call.nothing_is_lost()
    (call,) = evening.calls["blocking"]
    assert [entry["output"] for entry in call.record["tools"]] == [rows["blocking"].told]
    assert LAST_WORDS in call.phone.heard_audio
    (named,) = evening.logged("tool_blocks_loop")
    assert (named["tool"], Path(named["where"].rpartition(":")[0]).name) == (
        "block",
        "fault_tools.py",
    )
    begun, told, over = (
        datetime.fromisoformat(evening.logged(event)[0]["timestamp"])
        for event in ("block_begins", "tool_blocks_loop", "block_is_over")
    )
    named_after_s = (told - begun).total_seconds()
    latest_ms = evening.latest_ms(NEIGHBOUR)
    log.info("blocking_tool_named", after_s=named_after_s, latest_ms=round(latest_ms))
    assert begun < told < over
    assert named_after_s < BLOCKED_S / 2  # usually 0.4 s; busy machines are late


def test_a_tool_that_takes_half_a_minute_is_waited_for_in_company(tmp_path: Path) -> None:
    rows = {"long": Row("long", '{"status":"done at last"}', ok=True, last_s=LONG_S + 4)}
    evening = asyncio.run(play(tmp_path, rows, NEIGHBOURS))
    for call in evening.calls["long"] + evening.calls[NEIGHBOUR]:
        call.nothing_is_lost()
    (call,) = evening.calls["long"]
    ((asked_ms, output),) = [(e["at_ms"], e["output"]) for e in call.record["tools"]]
    assert output == rows["long"].told
    assert asked_ms > LONG_S * 1000
    heard = bytes(call.phone.heard_audio)
    assert heard.index(ONE_MOMENT) < heard.index(LAST_WORDS)
    log.info("latest_frame", of=NEIGHBOURS, ms=round(evening.latest_ms(NEIGHBOUR)))
