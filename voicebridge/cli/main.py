"""The ``voicebridge`` command: reads the arguments, runs a subcommand, tells errors plainly."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from voicebridge import __version__
from voicebridge.cli.bench import add_bench
from voicebridge.cli.desk import add_config, add_desk
from voicebridge.cli.dial import add_dial
from voicebridge.cli.tools_arguments import add_tools
from voicebridge.cli.twiml import add_twiml
from voicebridge.errors import ConfigError, VoicebridgeError

EXIT_CONFIG = 2
EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0, 1 for failure, 2 for a wrong setting."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except ConfigError as error:
        print(f"voicebridge: {error}", file=sys.stderr)
        return EXIT_CONFIG
    except VoicebridgeError as error:
        print(f"voicebridge: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="voicebridge",
        description="Puts an AI agent on a phone line.",
        epilog="Start with `voicebridge rehearse`: it plays a whole call, with no key and no line.",
    )
    parser.add_argument("--version", action="version", version=f"voicebridge {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_rehearse(commands.add_parser("rehearse", help="play a complete call on this machine"))
    _add_serve(commands.add_parser("serve", help="answer real calls"))
    _add_check(commands.add_parser("check", help="validate settings, personas and rehearsals"))
    add_desk(commands)
    add_bench(commands)
    add_tools(commands.add_parser("tools", help="list the tools; try one outside a call"))
    add_dial(commands)
    add_twiml(commands)
    return parser


def _add_rehearse(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Plays a complete call through the real bridge: a simulated carrier, a real server, an "
        "embedded realtime model with a local voice. No key, no phone line."
    )
    parser.add_argument(
        "scenario",
        nargs="?",
        default="opening-hours",
        help="a file of config/rehearsals, without its ending (default: opening-hours)",
    )
    parser.add_argument("--list", action="store_true", help="list the rehearsals, and play none")
    add_config(parser)
    parser.add_argument(
        "--caller", type=Path, metavar="WAV", help="play this recording as the caller"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="where to leave the recording and the picture"
    )
    parser.add_argument(
        "--network-delay-ms",
        type=_milliseconds,
        default=0,
        metavar="MS",
        help="one-way delay between carrier and bridge (default: 0)",
    )
    parser.add_argument(
        "--jitter-ms",
        type=_milliseconds,
        default=0,
        metavar="MS",
        help="random addition to the delay (default: 0)",
    )
    parser.add_argument(
        "--dialect", choices=("ga", "beta"), help="the realtime dialect (default: the scenario's)"
    )
    parser.set_defaults(run=_rehearse)


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Answers calls. With OPENAI_API_KEY the agent is OpenAI's realtime model; without, an "
        "embedded one with a local voice. With TWILIO_AUTH_TOKEN every request is checked."
    )
    add_config(parser)
    parser.add_argument("--host", help="the address to listen on (default: server.host)")
    parser.add_argument("--port", type=int, help="the port (default: server.port)")
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="processes that share the port and the calls (default: server.workers)",
    )
    parser.add_argument(
        "--insecure",
        action="store_true",
        help="let unsigned requests in, on loopback only: for trying things out",
    )
    parser.set_defaults(run=_serve)


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.description = "Validates settings, personas, their tools, and rehearsals."
    parser.add_argument("config", nargs="?", type=Path, default=Path("config"), metavar="DIR")
    parser.set_defaults(run=_check)


def _milliseconds(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 2000:
        raise argparse.ArgumentTypeError("expected 0 to 2000 milliseconds")
    return value


def _rehearse(options: argparse.Namespace) -> int:
    from voicebridge.cli.rehearse import list_rehearsals, run_rehearsal
    from voicebridge.cli.stage import Rehearsal

    if options.list:
        return list_rehearsals(options.config)
    return run_rehearsal(
        Rehearsal(
            config_dir=options.config,
            scenario=options.scenario,
            caller_wav=options.caller,
            out=options.out or Path(f"rehearsal-{Path(options.scenario).name}"),
            network_delay_ms=options.network_delay_ms,
            jitter_ms=options.jitter_ms,
            dialect=options.dialect,
        )
    )


def _serve(options: argparse.Namespace) -> int:
    from voicebridge.cli.serve import run_serve

    return run_serve(
        options.config,
        options.host,
        options.port,
        insecure=options.insecure,
        workers=options.workers,
    )


def _check(options: argparse.Namespace) -> int:
    from voicebridge.cli.check import run_check

    return run_check(options.config, None, sys.stdout)
