"""The tool by which an agent puts a number on the opt-out list."""

from __future__ import annotations

from voicebridge.outbound.opt_out import OptOutList
from voicebridge.tools.context import CallContext
from voicebridge.tools.tool import Tool, tool


def opt_out_tool(opt_out: OptOutList) -> Tool:
    """Make the tool ``opt_out`` for a list."""

    @tool(name="opt_out")
    def add(context: CallContext) -> str:
        """Never call this person again.

        Use it when the person on the telephone asks not to be called any more. It concerns the
        number of this call and nobody else's.
        """
        try:
            opt_out.add(context.caller)
        except ValueError:
            return "The number of this call is not known, so it could not be noted."
        return "Noted: this number will not be called again."

    return add
