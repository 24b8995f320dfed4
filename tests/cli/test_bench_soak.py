"""``bench load --soak``: what counts as growth, what as a fault, and one short soak for real."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from voicebridge.cli.bench import soak_run
from voicebridge.cli.bench.load import add_load
from voicebridge.cli.bench.soak_run import leave, told
from voicebridge.rehearsal.load_process import Memory, memory, open_files
from voicebridge.rehearsal.load_soak_figures import (
    Sample,
    SoakCounts,
    SoakFigures,
    growth,
    soak_from,
)

ROOT = Path(__file__).parents[2]


def samples(*own_kb: float) -> list[Sample]:
    return [
        Sample(10.0 * at, Memory(int(kb) + 9000, int(kb) + 5000, int(kb)), 116, 50, 50, at)
        for at, kb in enumerate(own_kb)
    ]


def figures(*own_kb: float, **counts: int) -> SoakFigures:
    taken = samples(*own_kb)
    return SoakFigures(50, 60.0, 1, taken[0], replace(taken[-1], sessions=0, calls=0), taken,
                       SoakCounts(hung_up=100, **counts))  # fmt: skip


def test_growth_is_of_the_last_half_alone_and_by_medians() -> None:
    warming_up = [1000.0 * at for at in range(60)]
    steady = [60_000.0] * 59 + [90_000.0]
    found = growth(samples(*warming_up, *steady), lambda memory: memory.own_kb)
    assert (found.first_kb, found.kb, found.trend_kb) == (60_000.0, 0.0, 0.0)


def test_a_steady_growth_shows_in_medians_and_trend() -> None:
    found = growth(samples(*(50_000 + 100.0 * at for at in range(120))), lambda m: m.own_kb)
    assert found.trend_kb == pytest.approx(5900, abs=1)
    assert found.kb == pytest.approx(5400, abs=1)


def test_a_wave_is_no_growth() -> None:
    wave = [50_000 + 3000.0 * (at % 7) for at in range(140)]
    found = growth(samples(*wave), lambda memory: memory.own_kb)
    assert abs(found.trend_kb) < 1000


@pytest.mark.parametrize("count", [0, 1, 2])
def test_with_less_than_two_samples_in_the_half_nothing_is_claimed(count: int) -> None:
    assert growth(samples(*([50_000.0] * count)), lambda memory: memory.own_kb).kb == 0


STEADY = [50_000.0] * 140


@pytest.mark.parametrize(
    ("soak", "words"),
    [
        (figures(*(50_000 + 300.0 * at for at in range(120))), "memory grew by 15.8 MB"),
        (figures(*STEADY, altered=2), "2 frames were lost, repeated, swapped or altered"),
        (figures(*STEADY, broken=3), "3 calls were refused or ended by the bridge"),
        (figures(*STEADY, slow_to_close=1), "1 streams stayed open"),
        (
            replace(figures(*STEADY), after=replace(samples(50_000)[0], sessions=2)),
            "2 model connections were left open",
        ),
        (figures(50_000.0), "too short"),
    ],
)
def test_each_fault_is_told(soak: SoakFigures, words: str) -> None:
    (fault,) = soak.faults
    assert words in fault
    assert fault in told(soak)


def test_growth_while_everything_warms_up_is_told_and_not_judged() -> None:
    soak = figures(*(50_000 + 600.0 * at for at in range(60)))
    assert soak.faults == []
    assert "no verdict" in told(soak)


def test_a_soak_without_fault_says_so_and_survives_json() -> None:
    soak = figures(*STEADY, barge_ins=5)
    assert soak.faults == []
    assert "all is as it must be" in told(soak)
    assert soak_from(json.loads(json.dumps(soak.to_dict()))) == soak


def test_the_picture_has_both_lines_and_is_well_formed(tmp_path: Path) -> None:
    leave(figures(*(50_000 + 10.0 * at for at in range(50))), tmp_path)
    svg = ElementTree.fromstring((tmp_path / "memory.svg").read_text())
    lines = [node for node in svg.iter() if node.tag.endswith("polyline")]
    assert [len(line.attrib["points"].split()) for line in lines] == [51, 51]


def test_the_system_tells_what_a_process_holds(tmp_path: Path) -> None:
    before = open_files(os.getpid())
    with (tmp_path / "a").open("w"):
        assert open_files(os.getpid()) == before + 1
    held = memory(os.getpid())
    assert held.pss_kb >= held.uss_kb > 0
    assert held.own_kb > 0
    assert (memory(2**22 + 1), open_files(2**22 + 1)) == (Memory(), 0)


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="it takes two cores")
@pytest.mark.slow
def test_a_short_soak_loses_nothing_and_leaves_nothing_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(soak_run, "SAMPLE_EVERY_S", 1.0)
    parser = argparse.ArgumentParser()
    add_load(parser.add_subparsers())
    options = parser.parse_args(
        ["load", "--soak", "0.15", "--calls", "6", "--json", "--out", str(tmp_path)]
    )
    options.run(options)
    soak = soak_from(json.loads(capsys.readouterr().out))
    assert soak.counts.ended >= 6
    assert soak.counts.frames > 6 * 100
    assert (soak.counts.wrong, soak.counts.broken, soak.counts.slow_to_close) == (0, 0, 0)
    assert soak.after.sessions == 0
    assert soak.after.files <= soak.idle.files + 1
    assert max(sample.sessions for sample in soak.samples) > 0
    assert soak_from(json.loads((tmp_path / "report.json").read_text())) == soak
