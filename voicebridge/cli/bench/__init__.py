"""``voicebridge bench``: measures on this machine, against the bars that the project sets itself.

Each bench is a module with ``add_...(subparsers)``; what it needs to run it loads when it runs.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_bench(subparsers: Subparsers) -> None:
    """Add the subcommand ``bench`` with one subcommand of its own for each bench."""
    from voicebridge.cli.bench.hearing import add_hearing
    from voicebridge.cli.bench.load import add_load

    parser = subparsers.add_parser("bench", help="measure hearing and load on this machine")
    parser.description = "Measures the bridge on this machine, with simulated phones and model."
    benches = parser.add_subparsers(title="benches", metavar="BENCH", required=True)
    add_hearing(benches)
    add_load(benches)
