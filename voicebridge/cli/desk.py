"""The commands that look at a configuration: their arguments; what they do is imported on use."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any


def add_desk(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``personas``, ``route``, ``doctor`` and ``config``."""
    _add_personas(commands.add_parser("personas", help="list the personas; print their schema"))
    _add_route(commands.add_parser("route", help="tell who answers a call, and why"))
    _add_doctor(commands.add_parser("doctor", help="look for what keeps calls from coming in"))
    _add_reference(commands.add_parser("config", help="print the configuration reference"))


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add ``--config``."""
    parser.add_argument(
        "--config",
        type=Path,
        default=Path("config"),
        metavar="DIR",
        help="the folder of voicebridge.yaml and personas/ (default: config)",
    )


def _add_personas(parser: argparse.ArgumentParser) -> None:
    what = parser.add_subparsers(title="what to do", metavar="WHAT", required=True)
    listing = what.add_parser("list", help="a line for each persona")
    add_config(listing)
    listing.set_defaults(run=_list)
    schema = what.add_parser("schema", help="the JSON Schema of a persona file, for editors")
    schema.set_defaults(run=_schema)


def _add_route(parser: argparse.ArgumentParser) -> None:
    parser.description = "Tells which persona answers a call, and why no rule before did."
    add_config(parser)
    parser.add_argument("--to", required=True, metavar="NUMBER", help="the called number")
    parser.add_argument(
        "--from",
        dest="caller",
        default="anonymous",
        metavar="NUMBER",
        help="the caller's number (default: anonymous)",
    )
    parser.add_argument(
        "--at",
        metavar="TIME",
        help="date and time, such as 2026-11-22T10:00, in the rules' time zone (default: now)",
    )
    parser.add_argument(
        "--param",
        action="append",
        default=[],
        type=_parameter,
        metavar="NAME=VALUE",
        help="a custom parameter of the call; may be repeated",
    )
    parser.set_defaults(run=_route)


def _add_doctor(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Checks what a first deployment gets wrong, and says what to do about it. Run it where the "
        "bridge runs, with the bridge's environment, while the bridge runs."
    )
    add_config(parser)
    parser.add_argument("--offline", action="store_true", help="check only what needs no network")
    parser.set_defaults(run=_doctor)


def _add_reference(parser: argparse.ArgumentParser) -> None:
    what = parser.add_subparsers(title="what to do", metavar="WHAT", required=True)
    reference = what.add_parser("reference", help="every key, its type, default and meaning")
    reference.set_defaults(run=_reference)


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError("expected NAME=VALUE")
    return name, value


def _list(options: argparse.Namespace) -> int:
    from voicebridge.cli.personas import run_list

    return run_list(options.config, sys.stdout)


def _schema(_options: argparse.Namespace) -> int:
    from voicebridge.cli.personas import run_schema

    return run_schema(sys.stdout)


def _route(options: argparse.Namespace) -> int:
    from voicebridge.cli.route import RouteQuestion, run_route

    question: dict[str, Any] = {"called": options.to, "caller": options.caller, "at": options.at}
    return run_route(
        options.config, RouteQuestion(**question, params=dict(options.param)), sys.stdout
    )


def _doctor(options: argparse.Namespace) -> int:
    from voicebridge.cli.doctor import run_doctor

    return run_doctor(options.config, sys.stdout, offline=options.offline)


def _reference(_options: argparse.Namespace) -> int:
    from voicebridge.cli.reference import reference_text

    print(reference_text(), end="")
    return 0
