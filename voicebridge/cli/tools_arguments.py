"""The arguments of ``voicebridge tools``; what it does is imported on use."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

CALLER = "+15550100001"


def add_tools(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``tools``, ``tools show`` and ``tools run``."""
    parser.description = "Lists the tools that personas can name; none is run by that."
    parser.set_defaults(run=_list)
    _add_config(parser, Path("config"))
    what = parser.add_subparsers(title="what to do", metavar="WHAT")
    show = what.add_parser("show", help="print everything that the model is told of a tool")
    show.set_defaults(run=_show)
    run = what.add_parser("run", help="try a tool outside a call")
    run.set_defaults(run=_run)
    for each in (show, run):
        each.add_argument("name", metavar="NAME", help="the tool, as a persona lists it")
        _add_config(each, argparse.SUPPRESS)  # what stands before the word is kept
    run.add_argument("arguments", nargs="?", default="{}", metavar="JSON", help="its arguments")
    run.add_argument(
        "--persona", metavar="NAME", help="for whom it works (default: default_persona)"
    )
    run.add_argument(
        "--caller", default=CALLER, metavar="NUMBER", help=f"who calls (default: {CALLER})"
    )


def _add_config(parser: argparse.ArgumentParser, default: Any) -> None:
    parser.add_argument(
        "--config",
        type=Path,
        default=default,
        metavar="DIR",
        help="the folder of voicebridge.yaml and personas/ (default: config)",
    )


def _list(options: argparse.Namespace) -> int:
    from voicebridge.cli.tools import run_list

    return run_list(options.config, None, sys.stdout)


def _show(options: argparse.Namespace) -> int:
    from voicebridge.cli.tools import run_show

    return run_show(options.config, options.name, None, sys.stdout)


def _run(options: argparse.Namespace) -> int:
    from voicebridge.cli.tools import try_tool

    return try_tool(
        options.config, options.name, options.arguments, options.persona, options.caller
    )
