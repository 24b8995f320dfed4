"""A soak: the bridge beside a generator whose calls come and go, and what it holds meanwhile."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from voicebridge.cli.bench.load_run import END_WITHIN_S, Contestant, Ground, at_work, line_of
from voicebridge.rehearsal.load_soak import CLOSE_WITHIN_S, LONGEST_S, SoakOrder
from voicebridge.rehearsal.load_soak_figures import (
    GROWTH_BAR_KB,
    Growth,
    Sample,
    SoakFigures,
    sample_from,
    soak_from,
)
from voicebridge.rehearsal.load_soak_svg import soak_picture

SAMPLE_EVERY_S = 10.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many calls at a time, for how long, and where the calls' chance begins."""

    calls: int
    minutes: float
    seed: int


async def run_soak(one: Contestant, ground: Ground, wanted: Wanted) -> SoakFigures:
    """Soak a contestant; raises ``BenchError`` if it or the generator cannot be run."""
    async with at_work(one, ground, "voicebridge.rehearsal.load_soak") as (playing, measured, port):
        order = SoakOrder(
            wanted.calls, wanted.minutes, port, measured.pid, wanted.seed, SAMPLE_EVERY_S
        )
        if playing.stdin is not None:
            playing.stdin.write(json.dumps(asdict(order)).encode() + b"\n")
        rest_s = LONGEST_S + CLOSE_WITHIN_S + END_WITHIN_S
        while True:
            told = json.loads(await line_of(playing, SAMPLE_EVERY_S + rest_s))
            if "soak" in told:
                return soak_from(told["soak"])
            _tell(sample_from(told["sample"]), told["wrong"])


def leave(figures: SoakFigures, folder: Path) -> None:
    """Leave the figures and the picture in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(figures.to_dict(), indent=1)
    (folder / "report.json").write_text(text, encoding="utf-8")
    (folder / "memory.svg").write_text(soak_picture(figures), encoding="utf-8")


def told(figures: SoakFigures) -> str:
    """Write the result as a text."""
    counts, idle, after = figures.counts, figures.idle, figures.after
    judged = f"bar {GROWTH_BAR_KB / 1024:g} MB" if figures.warm else "still warming up, no verdict"
    rows = [
        f"{figures.calls} calls at a time for {figures.minutes:g} minutes, seed {figures.seed}: "
        f"{counts.ended} calls",
        f"  ended        {counts.hung_up} hung up, {counts.hurried} at once, "
        f"{counts.cut_off} cut off, {counts.model_lost} lost their model, {counts.broken} broken",
        f"  in them      {counts.barge_ins} barge-ins, {counts.tools_answered} of "
        f"{counts.tools_called} tool calls answered",
        f"  frames       {counts.frames} of callers sent; wrong: {counts.wrong} "
        f"({counts.lost} lost, {counts.repeated} repeated, {counts.swapped} swapped, "
        f"{counts.altered} altered); {counts.filled} filled in",
        f"  own pages    {_growth(figures.own)}; {judged}",
        f"  by share     {_growth(figures.shared)}",
        f"  idle, after  own pages {_mb(idle.memory.own_kb)} and {_mb(after.memory.own_kb)}, "
        f"by share {_mb(idle.memory.pss_kb)} and {_mb(after.memory.pss_kb)}",
        f"  files        {idle.files} idle, at most {_most_files(figures)}, {after.files} after",
        f"  left open    {after.sessions} model connections",
    ]
    rows += [f"  incident     {incident}" for incident in counts.incidents[:10]]
    rows += [f"  FAULT        {fault}" for fault in figures.faults] or ["  all is as it must be"]
    return "\n".join(rows)


def _growth(growth: Growth) -> str:
    return (
        f"{_mb(growth.first_kb)} at the half, {_mb(growth.last_kb)} at the end: "
        f"{growth.kb / 1024:+.2f} MB; trend {growth.trend_kb / 1024:+.2f} MB"
    )


def _most_files(figures: SoakFigures) -> int:
    return max((sample.files for sample in figures.samples), default=figures.idle.files)


def _mb(kb: float) -> str:
    return f"{kb / 1024:.1f} MB"


def _tell(sample: Sample, wrong: int) -> None:
    """Say on standard error how it goes."""
    print(
        f"{sample.at_s / 60:6.1f} min  own {_mb(sample.memory.own_kb)}  "
        f"pss {_mb(sample.memory.pss_kb)}  files {sample.files:4}  calls {sample.calls:3}  "
        f"model {sample.sessions:3}  ended {sample.ended:5}  wrong {wrong}  "
        f"generator late p99 {sample.late_p99_ms:.1f} ms",
        file=sys.stderr,
        flush=True,
    )
