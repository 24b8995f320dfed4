"""The tool that ends the call."""

from __future__ import annotations

from typing import Annotated

from voicebridge.tools.context import CallContext
from voicebridge.tools.tool import tool


@tool
async def hang_up(
    context: CallContext,
    reason: Annotated[str, "Why the call ends, in a few words."] = "the conversation is over",
) -> str:
    """End the telephone call.

    Say goodbye to the caller first, in this same response, and then call this. The line is closed
    once the caller has heard the goodbye. Call it only when the caller is done or has said
    goodbye, and say nothing more afterwards.
    """
    context.hang_up(reason)
    return "The call ends as soon as the caller has heard the goodbye."
