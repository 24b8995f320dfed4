"""``voicebridge twiml``: documents to be kept at the carrier, for when no bridge answers."""

from __future__ import annotations

import argparse
from typing import Any

APOLOGY = "I am sorry, we have a technical problem. Please call again a little later."


def add_twiml(commands: Any) -> None:
    """Add the command to those of ``voicebridge``."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "twiml", help="print a document for the carrier to keep"
    )
    kinds = parser.add_subparsers(title="documents", metavar="DOCUMENT", required=True)
    fallback = kinds.add_parser("fallback", help="what a caller gets when no bridge answers")
    fallback.description = (
        "Prints a static TwiML document. Keep it at the carrier, as a TwiML Bin, and name it as "
        "the fallback of your number: it is used when the bridge does not answer."
    )
    fallback.add_argument("--say", default=APOLOGY, metavar="WORDS", help="what the caller hears")
    fallback.add_argument("--dial", metavar="NUMBER", help="connect the caller to this number then")
    fallback.set_defaults(run=_fallback)


def _fallback(options: argparse.Namespace) -> int:
    from voicebridge.carriers import twilio
    from voicebridge.errors import ConfigError
    from voicebridge.personas.numbers import checked_number

    if options.dial is None:
        print(twilio.twiml_hang_up(options.say))
        return 0
    try:
        number = checked_number(options.dial)
    except ValueError as error:
        raise ConfigError(str(error), key="--dial") from None
    print(twilio.twiml_dial(number, say=options.say))
    return 0
