"""``bench load``: what it prints of runs, when it calls one void, and one small run for real."""

import argparse
import asyncio
import json
import os
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from voicebridge.cli.bench.load import add_load
from voicebridge.cli.bench.load_ramp import TRIES, Ramp, climb
from voicebridge.cli.bench.load_table import report
from voicebridge.cli.bench.load_turns import contestants
from voicebridge.rehearsal.load_figures import LoadFigures, Spread, figures_from, settled_runs
from voicebridge.rehearsal.load_svg import picture

ROOT = Path(__file__).parents[2]
SOME = Spread(100, 0.2, 1.5, 2.0, 3.0)
GOOD = LoadFigures(
    calls=50,
    window_s=10.0,
    cpu_ms=2.0,
    generator_cpu_percent=20.0,
    held_up_percent=0.1,
    late_ms=Spread(100, 0.1, 0.5, 0.6, 0.7),
    idle_kb=48_000,
    memory_kb_per_call=90.0,
    up_ms=SOME,
    down_ms=SOME,
    set_up_ms=SOME,
    clear_ms=SOME,
    barge_ins=9,
    lost=0,
    repeated=0,
    swapped=0,
    altered=0,
    stale=0,
    filled=0,
    broken=0,
    left_open=0,
)


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_load(parser.add_subparsers())
    return parser.parse_args(["load", *arguments])


def test_figures_survive_their_way_through_json() -> None:
    assert figures_from(json.loads(json.dumps(GOOD.to_dict()))) == GOOD


@pytest.mark.parametrize(
    ("run", "why"),
    [
        (replace(GOOD, late_ms=Spread(100, 1, 9, 9, 9)), "generator was late"),
        (replace(GOOD, held_up_percent=20.0), "held the bridge's core"),
        (replace(GOOD, down_ms=Spread()), "nothing came through"),
    ],
)
def test_a_run_that_measures_something_else_is_void_and_counts_nowhere(
    run: LoadFigures, why: str
) -> None:
    assert why in run.void
    assert settled_runs([run, GOOD]) == [GOOD]
    assert why in report({"voicebridge": [run]})
    assert "0/1" in report({"voicebridge": [run]})


@pytest.mark.parametrize("harm", ["lost", "repeated", "swapped", "altered", "broken"])
def test_a_run_with_harm_is_not_whole_and_bears_no_more_calls(harm: str) -> None:
    run = replace(GOOD, **{harm: 160})
    assert not run.whole
    assert run.unbearable(20.0)
    assert "in 1" in report({"voicebridge": [run]})


def test_the_ratio_is_taken_turn_by_turn_of_runs_that_count() -> None:
    ours = [replace(GOOD, cpu_ms=ms) for ms in (2.0, 3.0, 40.0)]
    floor = [replace(GOOD, cpu_ms=1.0) for _ in ours]
    ours[2] = replace(ours[2], held_up_percent=50.0)
    assert "2.50 times the floor's CPU (2.00 to 3.00, 2 turns)" in report(
        {"voicebridge": ours, "floor": floor}
    )


def test_each_transport_has_a_ratio_of_its_own() -> None:
    them = {"voicebridge, picows": 2.0, "voicebridge, aiohttp": 3.0, "floor": 1.0}
    text = report({name: [replace(GOOD, cpu_ms=ms)] for name, ms in them.items()})
    assert "voicebridge, picows: 2.00 times" in text
    assert "voicebridge, aiohttp: 3.00 times" in text


def test_where_no_turn_counts_no_ratio_is_claimed() -> None:
    late = replace(GOOD, held_up_percent=50.0)
    assert "void, no turn" in report({"voicebridge": [late], "floor": [GOOD]})


def test_the_picture_has_a_point_for_each_number_of_calls_and_none_for_void_ones() -> None:
    runs = [GOOD, replace(GOOD, calls=100), replace(GOOD, calls=200, held_up_percent=50.0)]
    svg = ElementTree.fromstring(picture({"voicebridge": runs}))
    assert len([node for node in svg.iter() if node.tag.endswith("circle")]) == 2


@pytest.mark.parametrize("calls", ["0", "1,x", "2000"])
def test_a_number_of_calls_that_cannot_be_is_refused(calls: str) -> None:
    with pytest.raises(SystemExit):
        parsed("--calls", calls)


def bearing(limit: int, voids: Collection[int] = ()) -> tuple[list[int], Ramp]:
    """Climb where so many calls are borne; the runs of those numbers are void at first."""
    tried: list[int] = []

    async def run(calls: int) -> LoadFigures:
        tried.append(calls)
        slow = Spread(100, 5.0, 1.5 if calls <= limit else 80.0, 90.0, 99.0)
        void = calls in voids and tried.count(calls) < TRIES
        return replace(GOOD, calls=calls, up_ms=slow, held_up_percent=50.0 if void else 0.0)

    return tried, asyncio.run(climb(run))


def test_the_ramp_doubles_then_halves_the_rest() -> None:
    tried, ramp = bearing(333)
    assert tried[:4] == [50, 100, 200, 400]
    assert (ramp.borne, ramp.failed) == (330, 340)
    assert len(tried) <= 9
    told = ramp.told("voicebridge")
    assert "voicebridge: 330 calls on one core with p99 1.5 / 1.5 ms; at 340: p99 80.0 ms" in told


def test_a_void_step_of_the_ramp_is_made_again_before_it_counts_as_failed() -> None:
    tried, ramp = bearing(333, voids={200})
    assert (tried.count(200), ramp.borne) == (TRIES, 330)


@pytest.mark.parametrize(
    ("limit", "borne", "failed"), [(3, 0, 10), (44, 40, 50), (5000, 1000, None)]
)
def test_the_ramp_finds_limits_below_its_first_step_and_above_its_last(
    limit: int, borne: int, failed: int | None
) -> None:
    _, ramp = bearing(limit)
    assert (ramp.borne, ramp.failed) == (borne, failed)


def test_a_limit_that_is_the_generators_is_told_as_such() -> None:
    async def run(calls: int) -> LoadFigures:
        late = Spread(9, 9, 9, 9, 9) if calls > 100 else GOOD.late_ms
        return replace(GOOD, calls=calls, late_ms=late)

    ramp = asyncio.run(climb(run))
    assert "100 calls on one core" in ramp.told("us")
    assert "void, the generator was late" in ramp.told("us")


def test_transports_are_measured_in_turn_and_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    for arguments, names in (
        ([], ["voicebridge"]),
        (["--transport", "aiohttp"], ["voicebridge, aiohttp"]),
        (
            ["--beside", "transports", "--beside", "floor"],
            ["voicebridge, picows", "voicebridge, aiohttp", "voicebridge, websockets", "floor"],
        ),
    ):
        them = contestants(parsed(*arguments), tmp_path)
        assert [one.name for one in them] == names
    assert them[1].environment == {"VOICEBRIDGE_REALTIME_TRANSPORT": "aiohttp"}


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="it takes two cores")
@pytest.mark.slow
def test_a_small_run_loses_nothing_and_leaves_its_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    options = parsed(
        *("--calls", "2", "--seconds", "2", "--turns", "1", "--json", "--out", str(tmp_path))
    )
    options.run(options)
    (run,) = json.loads(capsys.readouterr().out)["voicebridge"]
    assert run["up_ms"]["count"] >= 2 * 2 * 40
    assert [run[harm] for harm in ("lost", "repeated", "swapped", "altered", "broken")] == [0] * 5
    assert run["left_open"] == 0
    assert json.loads((tmp_path / "report.json").read_text())["voicebridge"] == [run]
    assert (tmp_path / "latency.svg").exists()
