"""Who may answer: one response at a time in the conversation, any number beside it."""

from __future__ import annotations

from voicebridge.rehearsal.client_events import ResponseCancel, ResponseCreate, ResponseParams
from voicebridge.rehearsal.refusals import RefusedError
from voicebridge.rehearsal.response_run import ResponseRun
from voicebridge.rehearsal.session_state import SessionState

MOST_AT_ONCE = 16


class Responder:
    """Start and cancel the responses of one session."""

    def __init__(self, state: SessionState) -> None:
        self._state = state
        self._runs = dict[str, ResponseRun]()
        self._latest: ResponseRun | None = None
        self._asked = 0

    @property
    def active(self) -> ResponseRun | None:
        """Give the response under way in the conversation."""
        latest = self._latest
        return latest if latest is not None and not latest.over else None

    @property
    def latest(self) -> ResponseRun | None:
        """Give the conversation's last response, over or not."""
        return self._latest

    def create(self, event: ResponseCreate) -> None:
        """Start a response; raises RefusedError while the conversation has one already."""
        self.start(event.response)

    def start(self, params: ResponseParams) -> None:
        """Start a response with these settings; out of band it leaves the script where it is."""
        joins, active = params.conversation == "auto", self.active
        if params.instructions:
            self._state.log.told.append(params.instructions)
        self._runs = {key: run for key, run in self._runs.items() if not run.over}
        if joins and active is not None:
            raise RefusedError(
                "conversation_already_has_active_response",
                "Conversation already has an active response in progress: "
                f"{active.made.response_id}. Wait until the response is finished before "
                "creating a new one.",
            )
        if len(self._runs) >= MOST_AT_ONCE:
            raise RefusedError("rate_limit_exceeded", "Too many responses at once.")
        script = self._state.script
        step = script.next_response() if joins else script.script.standing
        run = ResponseRun(self._state, params, step)
        if joins:
            self._latest = run
        self._runs[run.made.response_id] = run
        run.begin()
        number, self._asked = self._asked, self._asked + 1
        if number == self._state.setting.faults.fail_response:
            run.finish("failed")
        else:
            self._state.spawn(run.run())

    def cancel(self, event: ResponseCancel) -> None:
        """Cancel the response that is named, or the conversation's own."""
        run = self.active if event.response_id is None else self._runs.get(event.response_id)
        if run is None or run.over:
            message = "Cancellation failed: no active response found"
            raise RefusedError("response_cancel_not_active", message)
        run.finish("cancelled", "client_cancelled")

    def interrupt(self) -> None:
        """Cancel the conversation's response because the caller speaks, if there is one."""
        if self.active is not None:
            self.active.finish("cancelled", "turn_detected")
