"""Notice that the caller has said nothing since the agent stopped (OpenAI Realtime, section 4)."""

from __future__ import annotations

from math import inf


class IdleClock:
    """Run on the milliseconds of appended audio, as all of turn detection does."""

    __slots__ = ("_due_ms", "_response_id")

    def __init__(self) -> None:
        self._response_id = ""
        self._due_ms = inf

    def stop(self) -> None:
        """Forget the wait: the caller speaks, or has been waited for."""
        self._due_ms = inf

    def is_due(self, response_id: str, quiet_ms: float, now_ms: float) -> bool:
        """Tell, once for a response that is over, that ``quiet_ms`` have passed since.

        ``quiet_ms`` is the response's audio and the session's ``idle_timeout_ms`` together.
        """
        if response_id != self._response_id:
            self._response_id, self._due_ms = response_id, now_ms + quiet_ms
            return False
        if now_ms < self._due_ms:
            return False
        self.stop()
        return True
