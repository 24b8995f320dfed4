"""The tool by which an agent sends a text message, to the caller or to whom the persona names."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from typing import Annotated

import structlog
from pydantic import Field

from voicebridge.errors import ToolFailed
from voicebridge.outbound.carrier_actions import CarrierActions, NewMessage, RestError
from voicebridge.outbound.opt_out import OptOutList
from voicebridge.tools.builtin.destinations import allowed_number, callers_number
from voicebridge.tools.context import CallContext
from voicebridge.tools.data import clean
from voicebridge.tools.tool import Tool, tool

log = structlog.get_logger(__name__)

NAME = "send_sms"
MOST_A_CALL = 3
MOST_A_DAY = 10
"""Messages to a number that no persona names, in all its calls: whose number it is costs money."""

MOST_CHARACTERS = 480
CALLER = "caller"
DAY_S = 86_400.0
_REMEMBERED = 10_000

_UNCERTAIN = "it is not certain that the message was sent; do not send it again"
_UNWANTED = 21610
_UNABLE = {21211, 21214, 21217, 21408, 21612, 21614}
"""The carrier's codes for numbers that no text message can be sent to (Twilio, section 10)."""


class Sent:
    """What was sent in each call: nothing twice, and no more than ``MOST_A_CALL``.

    A message whose fate is not known, for the carrier did not say or the tool was stopped, is not
    sent again either.
    """

    def __init__(self) -> None:
        self._calls: OrderedDict[str, dict[tuple[str, str], str | None]] = OrderedDict()

    def begin(self, call_id: str, message: tuple[str, str]) -> bool:
        """Take note of a message; False if it was sent before. Raises ToolFailed for too many."""
        sent = self._calls.setdefault(call_id, {})
        self._calls.move_to_end(call_id)
        while len(self._calls) > _REMEMBERED:
            self._calls.popitem(last=False)
        if message in sent:
            if (why := sent[message]) is not None:
                raise ToolFailed(why)
            return False
        if len(sent) >= MOST_A_CALL:
            raise ToolFailed(f"no more than {MOST_A_CALL} messages are sent in one call")
        sent[message] = _UNCERTAIN
        return True

    def settle(self, call_id: str, message: tuple[str, str], *, was_sent: bool) -> None:
        """Take note of what became of a message."""
        sent = self._calls.get(call_id, {})
        if was_sent:
            sent[message] = None
        else:
            sent.pop(message, None)


class Daily:
    """At most ``MOST_A_DAY`` messages to each number within 24 hours."""

    def __init__(self) -> None:
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def check(self, number: str) -> None:
        """Count a message; raises ToolFailed if it is one too many."""
        now = time.monotonic()
        times = self._times.setdefault(number, deque())
        self._times.move_to_end(number)
        while len(self._times) > _REMEMBERED:
            self._times.popitem(last=False)
        while times and times[0] <= now - DAY_S:
            times.popleft()
        if len(times) >= MOST_A_DAY:
            raise ToolFailed("this number has been sent enough messages today")
        times.append(now)


def send_sms_tool(
    carrier: CarrierActions | None, sender: str | None, opt_out: OptOutList | None
) -> Tool:
    """Make the tool of a carrier; ``sender`` is a number of ours or a service."""
    sent, daily = Sent(), Daily()

    @tool(name=NAME, confirm=True, timeout_s=15, filler="One moment, I am sending it.")
    async def send(
        context: CallContext,
        text: Annotated[
            str, Field(min_length=1, max_length=MOST_CHARACTERS), "The message, word for word."
        ],
        to: Annotated[
            str, Field(max_length=60), "caller, or the name of somebody you may write to."
        ] = CALLER,
    ) -> dict[str, str]:
        """Send a text message, such as an address or a summary, to the caller's telephone."""
        if carrier is None or sender is None:
            raise ToolFailed("messages cannot be sent from here")
        words = clean(text).strip()
        if not words:
            raise ToolFailed("there is nothing in this message")
        number = await asyncio.to_thread(_number, to, context)
        if opt_out is not None and await asyncio.to_thread(opt_out.__contains__, number):
            raise ToolFailed("this person has asked to be left alone, so nothing is sent")
        told = {"sent_to": to}
        if to not in context.recipients:
            daily.check(number)
        if not sent.begin(context.call_id, (number, words)):
            return told | {"note": "it was sent before, and not again"}
        try:
            message_id = await carrier.send_message(
                NewMessage(to=number, sender=sender, text=words)
            )
        except RestError as error:
            why = _why(error)
            log.warning("sms_not_sent", error=str(error), status=error.status, code=error.code)
            if why != _UNCERTAIN:
                sent.settle(context.call_id, (number, words), was_sent=False)
            raise ToolFailed(why) from None
        sent.settle(context.call_id, (number, words), was_sent=True)
        log.info("sms_sent", message_id=message_id, to=number)
        return told

    return send


def _number(to: str, context: CallContext) -> str:
    """Find whom a message goes to; raises ToolFailed."""
    if to == CALLER:
        return callers_number(context)
    if to in context.recipients:
        return context.recipients[to]
    if to.startswith("+") and context.allowed_numbers:
        return allowed_number(to, context.allowed_numbers)
    known = ", ".join((CALLER, *context.recipients))
    raise ToolFailed(f"there is nobody called {to!r} to write to; there are: {known}")


def _why(error: RestError) -> str:
    """Say in plain words why a message was not sent."""
    if error.code == _UNWANTED:
        return "this number has asked for no more messages"
    if error.code in _UNABLE:
        return "this number cannot get text messages"
    if error.status is None or error.status >= 500:
        return _UNCERTAIN
    return "the message could not be sent; tell the caller, and offer another way"
