"""One session of the simulated realtime server: client events in, the API's behaviour out.

It does no I/O: what it says goes to the outbox, and ``spawn`` runs the responses.
"""

from __future__ import annotations

import time
from typing import Any, Final, Protocol, cast

from pydantic import BaseModel
from pydantic_core import from_json

from voicebridge.rehearsal.client_events import (
    Bare,
    ItemCreate,
    ItemNamed,
    ItemTruncate,
    ResponseCancel,
    ResponseCreate,
    SessionUpdate,
)
from voicebridge.rehearsal.conversation import Json
from voicebridge.rehearsal.item_desk import ItemDesk
from voicebridge.rehearsal.outbox import Written
from voicebridge.rehearsal.refusals import RefusedError, missing, validate
from voicebridge.rehearsal.responder import Responder
from voicebridge.rehearsal.session_config import read_update, updated
from voicebridge.rehearsal.session_log import ErrorSent, SessionLog
from voicebridge.rehearsal.session_state import SessionState
from voicebridge.rehearsal.turns import Turns

_APPEND = "input_audio_buffer.append"
_APPEND_KEYS: Final = {"type", "event_id", "audio"}
_EVENTS: Final[dict[str, type[BaseModel]]] = {
    "session.update": SessionUpdate,
    "input_audio_buffer.commit": Bare,
    "input_audio_buffer.clear": Bare,
    "conversation.item.create": ItemCreate,
    "conversation.item.retrieve": ItemNamed,
    "conversation.item.delete": ItemNamed,
    "conversation.item.truncate": ItemTruncate,
    "response.create": ResponseCreate,
    "response.cancel": ResponseCancel,
}


class Decoder(Protocol):
    """A dialect's way to read the client's events."""

    name: str

    def decode(self, event: dict[str, Any]) -> dict[str, Any]:
        """Give the event's GA form; raises RefusedError for what the dialect does not have."""


class ModelSession:
    """Serve one client. ``log`` is all that happened, for the report."""

    def __init__(self, state: SessionState, dialect: Decoder) -> None:
        self._state, self._dialect = state, dialect
        self._responder = Responder(state)
        self._turns = Turns(state, self._responder)
        self._items = ItemDesk(state)

    @property
    def log(self) -> SessionLog:
        """Give what has happened so far."""
        return self._state.log

    def open(self, written: Written | None = None) -> None:
        """Say that the session is there; ``written`` is told when that went out."""
        created = {"type": "session.created", "session": self._session_object()}
        self._state.outbox.emit(created, written)
        if self._dialect.name == "beta":
            ids = {"id": self._state.conversation.conversation_id}
            self._emit(
                "conversation.created", conversation={**ids, "object": "realtime.conversation"}
            )

    def receive(self, text: str | bytes) -> None:
        """Take in one message of the client; a refused one becomes an ``error`` event."""
        event_id: str | None = None
        try:
            event = _parsed(text)
            event_id = event["event_id"] if isinstance(event.get("event_id"), str) else None
            self._handle(event)
        except RefusedError as refusal:
            self._refuse(refusal, event_id)

    def _handle(self, event: Json) -> None:
        kind = event.get("type")
        if not isinstance(kind, str):
            raise missing("type")
        self._state.log.received[kind] += 1
        if kind == _APPEND:
            self._append(event)
            return
        model = _EVENTS.get(kind)
        if model is None:
            expected = ", ".join(f"'{name}'" for name in sorted((*_EVENTS, _APPEND)))
            message = f"Invalid value: '{kind}'. Supported values are: {expected}."
            raise RefusedError("invalid_value", message, "type")
        self._dispatch(validate(model, self._dialect.decode(event)))

    def _append(self, event: Json) -> None:
        """Take the short way: fifty of these come in a second."""
        if "audio" not in event:
            raise missing("audio")
        for key in event.keys() - _APPEND_KEYS:
            raise RefusedError("unknown_parameter", f"Unknown parameter: '{key}'.", key)
        self._turns.append(event["audio"])

    def _dispatch(self, event: BaseModel) -> None:
        match event:
            case SessionUpdate():
                self._update(event)
            case Bare(type="input_audio_buffer.commit"):
                self._turns.commit()
            case Bare():
                self._turns.clear()
            case ItemCreate():
                self._items.create(event)
            case ItemNamed(type="conversation.item.retrieve"):
                self._items.retrieve(event)
            case ItemNamed():
                self._items.delete(event)
            case ItemTruncate():
                self._items.truncate(event)
            case ResponseCreate():
                self._responder.create(event)
            case ResponseCancel():
                self._responder.cancel(event)

    def _update(self, event: SessionUpdate) -> None:
        state = self._state
        patch = read_update(event.session)
        state.config = updated(state.config, patch, has_spoken=state.has_spoken)
        if state.config.instructions:
            state.log.told.append(state.config.instructions)
        self._turns.configure()
        echoed, mode = self._session_object(), state.setting.faults.session_updated
        if mode == "never":
            return
        for side in ("input", "output"):
            if mode == "mismatch":
                other = "audio/pcma" if _format(echoed, side) == "audio/pcmu" else "audio/pcmu"
                echoed["audio"][side]["format"] = {"type": other}
            elif mode == "without_formats":
                del echoed["audio"][side]["format"]
        self._emit("session.updated", session=echoed)

    def _session_object(self) -> Json:
        state = self._state
        ids = {"object": "realtime.session", "id": state.session_id}
        config = state.config.model_dump(mode="json")
        return {**ids, "expires_at": state.expires_at, **config}

    def _refuse(self, refusal: RefusedError, event_id: str | None) -> None:
        error = {
            "type": refusal.type,
            "code": refusal.code,
            "message": refusal.message,
            "param": refusal.param,
            "event_id": event_id,
        }
        sent = ErrorSent(time.monotonic(), refusal.code, refusal.message, event_id)
        self._state.log.errors_sent.append(sent)
        self._state.note("error", f"{refusal.code}: {refusal.message}")
        self._emit("error", error=error)

    def _emit(self, event_type: str, **fields: object) -> None:
        self._state.outbox.emit({"type": event_type, **fields})


def _format(session: Json, side: str) -> str:
    return cast(str, session["audio"][side]["format"]["type"])


def _parsed(text: str | bytes) -> Json:
    """Read a message; raises RefusedError for anything but one JSON object in a text frame."""
    if isinstance(text, bytes):
        raise RefusedError("invalid_event", "Binary messages are not supported.")
    try:
        event = from_json(text)
    except ValueError as error:
        message = f"We could not parse the JSON body of your event: {error}."
        raise RefusedError("invalid_json", message) from None
    if not isinstance(event, dict):
        raise RefusedError("invalid_event", "An event is a JSON object.")
    return event
