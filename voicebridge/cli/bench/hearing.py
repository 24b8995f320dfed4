"""``voicebridge bench hearing``: does the bridge know what the caller has heard, to the frame?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voicebridge.cli.bench import Subparsers

DESCRIPTION = """\
Plays calls in real time through a real `voicebridge serve`, between simulated phones and an
embedded model, all on this machine. Callers break into long replies at seeded moments, near and
far away. What the bridge tells the model to have been heard is held against what the phone has
played. Then callers cough, and fifty calls at once show how soon a reply is stopped.
"""


def add_hearing(subparsers: Subparsers) -> None:
    """Add ``bench hearing``."""
    parser = subparsers.add_parser(
        "hearing",
        help="barge-ins and coughs, against what the phone has played",
        description=DESCRIPTION,
    )
    parser.add_argument(
        "--calls",
        type=_Between(1, 50),
        default=4,
        metavar="N",
        help="calls with barge-ins in each of the eight settings (default: 4)",
    )
    parser.add_argument(
        "--seconds",
        type=_Between(6, 600),
        default=40,
        metavar="S",
        help="how long each of them lasts (default: 40)",
    )
    parser.add_argument(
        "--crowd",
        type=_Between(0, 500),
        default=50,
        metavar="N",
        help="calls at once when the clear is timed; 0 leaves that out (default: 50)",
    )
    parser.add_argument("--seed", type=int, default=1, metavar="K", help="of all chance")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("bench-hearing"),
        metavar="DIR",
        help="where the report goes",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from voicebridge.cli.bench.hearing_run import Wanted, run_hearing

    wanted = Wanted(options.calls, options.seconds, options.crowd, options.seed)
    return run_hearing(wanted, options.out, as_json=options.json)


class _Between:
    """Reads a whole number within bounds."""

    def __init__(self, least: int, most: int) -> None:
        self._least, self._most = least, most

    def __call__(self, text: str) -> int:
        value = int(text)
        if not self._least <= value <= self._most:
            raise argparse.ArgumentTypeError(f"expected {self._least} to {self._most}")
        return value
