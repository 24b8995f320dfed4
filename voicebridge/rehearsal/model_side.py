"""What goes wrong with the model in a rehearsal, as its file says it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from voicebridge.rehearsal.faults import Faults
from voicebridge.rehearsal.steps import Milliseconds, Strict


class ModelSide(Strict):
    """What the model does besides answering; by default nothing.

    It refuses every connection with ``refuse_status``, or breaks off ``lost_after_ms`` after a
    session has begun.
    """

    refuse_status: Annotated[int, Field(ge=400, le=599)] | None = None
    lost_after_ms: Milliseconds | None = None

    def faults(self) -> Faults:
        """Give it as the simulated server takes it."""
        return Faults(refuse_status=self.refuse_status, drop_after_ms=self.lost_after_ms)
