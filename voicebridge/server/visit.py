"""What a webhook request says of its call, and what our URLs remember of it from step to step.

Nothing of it is kept in this process: whatever a later webhook needs stands in the URL that the
carrier is given. It signs that URL, so the answer may come from another process, or from this one
after a restart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

_PERSONA, _AGAIN, _WHY = "bridge.persona", "bridge.again", "bridge.why"
"""Names with a dot: no custom parameter of a persona has one."""

WORKER_NAME = "bridge.worker"
CALL_NAME = "bridge.call"
"""What names the worker of a call, and the call itself where another's webhook is about it."""

ATTEMPT_NAME = "bridge.attempt"
"""Which of a call's attempts to reach a colleague a webhook is about."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A call at one of our webhooks.

    ``caller`` is the person on the telephone and ``called`` our own number, whoever dialled.
    ``params`` are the custom parameters of the webhook's URL, ``persona`` who has answered so far,
    ``again`` how often the caller was connected anew, ``why`` what a dial was for, ``worker`` the
    one of several processes that the call belongs to.
    """

    call_id: str
    caller: str
    called: str
    params: Mapping[str, str]
    persona: str = ""
    again: int = 0
    why: str = ""
    worker: str = ""

    @classmethod
    def read(cls, form: Mapping[str, str], query: Mapping[str, str]) -> Visit:
        """Read a signed request (Twilio Media Streams, section 7)."""
        caller, called = form.get("From", ""), form.get("To", "")
        if form.get("Direction", "").startswith("outbound"):
            caller, called = called, caller
        again = query.get(_AGAIN, "0")
        return cls(
            form.get("CallSid", ""),
            caller,
            called,
            {name: value for name, value in query.items() if "." not in name},
            query.get(_PERSONA, ""),
            int(again) if again.isascii() and again.isdigit() and len(again) < 4 else 0,
            query.get(_WHY, ""),
            query.get(WORKER_NAME, ""),
        )

    def with_(self, *, persona: str = "", again: int | None = None, why: str = "") -> Visit:
        """Return the visit as a later step is to see it."""
        return replace(
            self,
            persona=persona or self.persona,
            again=self.again if again is None else again,
            why=why,
        )

    def url(self, base: str) -> str:
        """Return a URL that brings this visit back."""
        told = {_PERSONA: self.persona, _AGAIN: str(self.again or ""), _WHY: self.why}
        told[WORKER_NAME] = self.worker
        query = urlencode({**self.params, **{name: value for name, value in told.items() if value}})
        return f"{base}?{query}" if query else base
