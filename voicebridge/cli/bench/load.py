"""``voicebridge bench load``: what many calls at once cost, and what they add to the delay."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voicebridge.cli.bench import Subparsers
    from voicebridge.cli.bench.load_ramp import Ramp
    from voicebridge.cli.bench.load_turns import Runs
    from voicebridge.rehearsal.load_figures import LoadFigures
    from voicebridge.rehearsal.load_soak_figures import SoakFigures

CALLS, SOAK_CALLS = [1, 50, 100, 200], [50]
MOST_CALLS = 1000


def add_load(subparsers: Subparsers) -> None:
    """Add the subcommand ``load``."""
    parser = subparsers.add_parser("load", help="many calls at once: their cost and their delay")
    parser.description = (
        "Plays many calls at once through `voicebridge serve`, which runs alone on one core; "
        "telephones and model server run in a process of their own on another. Every frame is "
        "stamped, so what is lost, repeated, swapped, altered or delayed is known."
    )
    add = parser.add_argument
    add(
        "--calls",
        type=_counts,
        metavar="N,N,…",
        help="how many at once, one run after another (default: 1,50,100,200; of a soak: 50)",
    )
    add("--seconds", type=float, default=10.0, metavar="S", help="of each run")
    add("--turns", type=int, default=3, metavar="N", help="runs, for the median")
    add(
        "--beside",
        action="append",
        choices=("floor", "transports"),
        help="measure in turn with us: a bare relay; us with each transport (may be repeated)",
    )
    add(
        "--transport",
        action="append",
        default=[],
        choices=("auto", "websockets", "aiohttp", "picows"),
        help="how the bridge dials the model; repeated: each in turn",
    )
    add("--ramp", action="store_true", help="find the most calls of one core")
    add("--tls", action="store_true", help="let the bridge dial wss, as to OpenAI")
    add(
        "--soak",
        type=float,
        metavar="MINUTES",
        help="let calls come and go that long, and look at the bridge's memory",
    )
    add("--seed", type=int, default=1, metavar="K", help="of a soak's chance")
    add("--json", action="store_true", help="print JSON instead of tables")
    add("--out", type=Path, metavar="DIR", help="leave figures and picture there")
    add("--config", type=Path, default=Path("config"), metavar="DIR")
    parser.set_defaults(run=run_load)


def run_load(options: argparse.Namespace) -> int:
    """Run the bench; 1 if a byte went wrong in a run that counts, or a soak found a fault."""
    if options.calls is None:
        options.calls = SOAK_CALLS if options.soak else CALLS
    with tempfile.TemporaryDirectory(prefix="voicebridge-load-") as folder:
        if options.soak:
            return _soak(options, Path(folder))
        return _measure(options, Path(folder))


def _measure(options: argparse.Namespace, folder: Path) -> int:
    from voicebridge.cli.bench.load_table import report
    from voicebridge.cli.bench.load_turns import OURS
    from voicebridge.rehearsal.load_svg import picture

    runs, limits = asyncio.run(_runs(options, folder))
    values: dict[str, object] = {
        name: [run.to_dict() for run in of_one] for name, of_one in runs.items()
    }
    if limits:
        values["limits"] = {name: ramp.to_dict() for name, ramp in limits.items()}
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        text = json.dumps(values, indent=1)
        (options.out / "report.json").write_text(text, encoding="utf-8")
        (options.out / "latency.svg").write_text(picture(runs), encoding="utf-8")
    told = [ramp.told(name) for name, ramp in limits.items()]
    print(json.dumps(values) if options.json else "\n".join([report(runs), *told]))
    ours = [run for name, of_one in runs.items() if name.startswith(OURS) for run in of_one]
    return int(any(not run.whole for run in ours if not run.void))


async def _runs(options: argparse.Namespace, folder: Path) -> tuple[Runs, dict[str, Ramp]]:
    from voicebridge.cli.bench.load_turns import contestants, ground_for, ramps, take_turns

    ground, them = await ground_for(options, folder), contestants(options, folder)
    if not options.ramp:
        return await take_turns(them, ground, options, _tell), {}
    limits = await ramps(them, ground, options, _tell)
    return {name: ramp.runs for name, ramp in limits.items()}, limits


def _soak(options: argparse.Namespace, folder: Path) -> int:
    from voicebridge.cli.bench.load_turns import contestants, ground_for
    from voicebridge.cli.bench.soak_run import Wanted, leave, run_soak, told

    async def soaked() -> SoakFigures:
        wanted = Wanted(options.calls[0], options.soak, options.seed)
        ground, them = await ground_for(options, folder), contestants(options, folder)
        return await run_soak(them[0], ground, wanted)

    figures = asyncio.run(soaked())
    if options.out is not None:
        leave(figures, options.out)
    print(json.dumps(figures.to_dict()) if options.json else told(figures))
    return int(bool(figures.faults))


def _counts(text: str) -> list[int]:
    try:
        counts = [int(part) for part in text.split(",")]
    except ValueError:
        counts = [0]
    if not all(0 < count <= MOST_CALLS for count in counts):
        raise argparse.ArgumentTypeError(f"expected numbers from 1 to {MOST_CALLS}: 1,50,100")
    return counts


def _tell(name: str, figures: LoadFigures) -> None:
    """Say on standard error how it goes."""
    void = f"  VOID: {figures.void}" if figures.void else ""
    print(
        f"{name:23} {figures.calls:4} calls  {figures.cpu_ms:6.2f} ms/call·s  "
        f"p99 {figures.up_ms.p99:.1f} / {figures.down_ms.p99:.1f} ms  "
        f"generator {figures.generator_cpu_percent:.0f} %{void}",
        file=sys.stderr,
        flush=True,
    )
