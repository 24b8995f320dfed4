"""The tools that act on the call itself: transfer, hold, keys both ways, notes."""

from __future__ import annotations

import asyncio
import re
from typing import Annotated

from pydantic import Field

from voicebridge.errors import ToolFailed
from voicebridge.tools.builtin.destinations import find_destination
from voicebridge.tools.context import CallContext
from voicebridge.tools.data import clean
from voicebridge.tools.tool import Tool, tool

_KEYS = re.compile(r"[0-9*#wW]{1,32}")


@tool(timeout_s=110, filler="One moment, I am trying to reach somebody.")
async def transfer(
    context: CallContext,
    destination: Annotated[str, Field(max_length=100), "The name of the place to connect to."],
    summary: Annotated[
        str, Field(max_length=600), "Who calls and about what, in a few words for a colleague."
    ] = "",
) -> str:
    """Connect the caller to a person or department.

    Tell the caller first, in this same response, to whom you connect them. If the result says that
    the caller is connected, say nothing more afterwards. Some colleagues are asked first; if the
    result is that nobody takes the call, the caller is still with you: say so and go on.
    """
    place = await asyncio.to_thread(find_destination, destination, context)
    if place.mode == "cold":
        context.line.transfer(place.number)
        return f"The caller is connected to {destination} as soon as your words were heard."
    await context.colleagues.fetch(destination, place, clean(summary))
    context.line.hand_over()
    return f"{destination} takes the call and waits. The caller is connected after your next words."


@tool
async def send_dtmf(
    context: CallContext,
    keys: Annotated[str, "The keys: 0-9, * and #; a w waits for half a second."],
) -> str:
    """Press telephone keys towards the other end, as for the menu of another phone system."""
    if not _KEYS.fullmatch(keys):
        raise ToolFailed("keys are 1 to 32 of 0-9, *, # and w")
    context.line.press(keys)
    return "The keys are pressed."


@tool(timeout_s=90)
async def collect_digits(
    context: CallContext,
    name: Annotated[str, "What the digits are, such as card_number."],
    most: Annotated[int, Field(ge=1, le=32), "How many digits there are at the most."],
    secret: Annotated[bool, "True for card numbers and PINs: you are not told the digits."] = True,
) -> dict[str, object]:
    """Have the caller type digits on the telephone's keys, ended by #.

    Ask the caller for them first. You do not hear the caller meanwhile.
    """
    digits = await context.line.collect_keys(most)
    if secret:
        context.secrets[name] = digits
        return {"collected": name, "length": len(digits)}
    context.variables[name] = digits
    return {"collected": name, "digits": digits}


@tool
async def hold(
    context: CallContext,
    seconds: Annotated[int, Field(ge=5, le=300), "The longest time on hold."] = 60,
) -> str:
    """Put the caller on hold: they hear a soft tone, and you hear nothing until it ends.

    Tell the caller first, in this same response.
    """
    context.line.hold(seconds)
    return f"The caller is on hold for {seconds} seconds at the most."


@tool
async def resume(context: CallContext) -> str:
    """End the hold: the caller hears you again."""
    context.line.resume()
    return "The caller is back."


@tool
async def take_message(
    message: Annotated[str, Field(min_length=1, max_length=2000), "The message, word for word."],
    caller_name: Annotated[str, Field(max_length=200), "Who left it."] = "",
    call_back: Annotated[
        str, Field(max_length=40), "The number to call back, if one was given."
    ] = "",
) -> dict[str, str]:
    """Take down a message for the business; it is kept in the record of the call."""
    return {"taken": message, "from": caller_name, "call_back": call_back}


@tool
async def set_variable(
    context: CallContext,
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$"), "The variable's name."],
    value: Annotated[str, Field(max_length=500), "Its value."],
) -> dict[str, str]:
    """Remember a fact of this call by name, for the other tools."""
    context.variables[name] = value
    return {name: value}


CALL_ACTIONS: tuple[Tool, ...] = (
    transfer,
    send_dtmf,
    collect_digits,
    hold,
    resume,
    take_message,
    set_variable,
)
