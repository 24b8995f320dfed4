"""``voicebridge bench load``: what many calls at once cost, and what they add to the delay."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voicebridge.cli.bench import Subparsers
    from voicebridge.cli.bench.load_run import Contestant, Ground
    from voicebridge.rehearsal.load_figures import LoadFigures

FLOOR = Path("tests/bench/floor_relay.py")
RAMP_STEP, RAMP_MOST = 50, 1000
RAMP_P99_MS = 20.0


def add_load(subparsers: Subparsers) -> None:
    """Add the subcommand ``load``."""
    parser = subparsers.add_parser("load", help="many calls at once: their cost and their delay")
    parser.description = (
        "Plays many calls at once through `voicebridge serve`, which runs alone on one core; "
        "telephones and model server run in a process of their own on another. Every frame is "
        "stamped, so what is lost, repeated, swapped, altered or delayed is known."
    )
    parser.add_argument("--calls", type=_counts, default=[1, 50, 100, 200], metavar="N,N,…")
    parser.add_argument("--seconds", type=float, default=10.0, metavar="S", help="of each run")
    parser.add_argument("--turns", type=int, default=3, metavar="N", help="runs, for the median")
    parser.add_argument("--beside", choices=("floor",), help="measure a bare relay in turn with us")
    parser.add_argument("--ramp", action="store_true", help="find the most calls of one core")
    parser.add_argument("--tls", action="store_true", help="let the bridge dial wss, as to OpenAI")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--out", type=Path, metavar="DIR", help="leave figures and picture there")
    parser.add_argument("--config", type=Path, default=Path("config"), metavar="DIR")
    parser.set_defaults(run=run_load)


def run_load(options: argparse.Namespace) -> int:
    """Run the bench; 1 if a byte went wrong in a run that counts."""
    from voicebridge.cli.bench.load_table import report

    with tempfile.TemporaryDirectory(prefix="voicebridge-load-") as folder:
        runs = asyncio.run(_measure(options, Path(folder)))
    if options.out is not None:
        from voicebridge.rehearsal.load_svg import picture

        options.out.mkdir(parents=True, exist_ok=True)
        text = json.dumps(_values(runs), indent=1)
        (options.out / "report.json").write_text(text, encoding="utf-8")
        (options.out / "latency.svg").write_text(picture(runs), encoding="utf-8")
    print(json.dumps(_values(runs)) if options.json else report(runs))
    ours = runs.get("voicebridge", [])
    return int(any(not run.whole for run in ours if not run.void))


def _counts(text: str) -> list[int]:
    try:
        counts = [int(part) for part in text.split(",")]
    except ValueError:
        counts = [0]
    if not all(0 < count <= RAMP_MOST for count in counts):
        raise argparse.ArgumentTypeError(f"expected numbers from 1 to {RAMP_MOST}: 1,50,100")
    return counts


async def _measure(options: argparse.Namespace, folder: Path) -> dict[str, list[LoadFigures]]:
    from voicebridge.cli.bench.load_run import Ground, bridge, certificate_in, run_once

    cores = _cores()
    certificate = await certificate_in(folder) if options.tls else None
    ground = Ground(folder, cores[0], cores[1], certificate)
    contestants = [bridge(folder, options.config, RAMP_MOST)]
    if options.beside:
        contestants.append(_floor())
    runs: dict[str, list[LoadFigures]] = {one.name: [] for one in contestants}
    if options.ramp:
        for one in contestants:
            runs[one.name] = await _ramp(one, ground, options.seconds)
        return runs
    for calls in options.calls:
        for _ in range(options.turns):
            for one in contestants:
                figures = await run_once(one, ground, calls, options.seconds)
                runs[one.name].append(figures)
                _tell(one.name, figures)
    return runs


async def _ramp(one: Contestant, ground: Ground, seconds: float) -> list[LoadFigures]:
    """Add calls until the delay or the audio suffers."""
    from voicebridge.cli.bench.load_run import run_once

    runs: list[LoadFigures] = []
    for calls in _steps():
        figures = await run_once(one, ground, calls, seconds)
        _tell(one.name, figures)
        runs.append(figures)
        if not figures.bearable(RAMP_P99_MS):
            break
    return runs


def _steps() -> Iterator[int]:
    yield from range(RAMP_STEP, RAMP_MOST + 1, RAMP_STEP)


def _floor() -> Contestant:
    from voicebridge.cli.bench.load_run import Contestant
    from voicebridge.errors import ConfigError

    if not FLOOR.exists():
        raise ConfigError(f"{FLOOR} is part of the source tree: run this in a checkout")
    return Contestant("floor", (sys.executable, str(FLOOR), "{model_url}"))


def _cores() -> list[int]:
    from voicebridge.errors import ConfigError

    if not hasattr(os, "sched_getaffinity"):
        raise ConfigError("this bench reads /proc and pins processes to cores: it needs Linux")
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise ConfigError("this bench needs two cores: one for the bridge, one for the calls")
    return cores[:2]


def _tell(name: str, figures: LoadFigures) -> None:
    """Say on standard error how it goes."""
    void = f"  VOID: {figures.void}" if figures.void else ""
    print(
        f"{name:12} {figures.calls:4} calls  {figures.cpu_ms:6.2f} ms/call·s  "
        f"p99 {figures.up_ms.p99:.1f} / {figures.down_ms.p99:.1f} ms{void}",
        file=sys.stderr,
        flush=True,
    )


def _values(runs: dict[str, list[LoadFigures]]) -> dict[str, list[dict[str, object]]]:
    return {name: [run.to_dict() for run in of_one] for name, of_one in runs.items()}
