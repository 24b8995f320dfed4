"""One model session of many: it hears stamped frames and speaks as its plan says.

It speaks the GA dialect (OpenAI Realtime, sections 3 to 5).
"""

from __future__ import annotations

import json
from time import monotonic_ns
from typing import Any

from voicebridge.rehearsal.load_events import EventWriter
from voicebridge.rehearsal.load_phone import LoadPhone
from voicebridge.rehearsal.load_plan import Plan, offers_tool
from voicebridge.rehearsal.load_rota import Rota
from voicebridge.rehearsal.load_stamp import Arrivals
from voicebridge.rehearsal.load_wire import WireEnd

SLOTS = 20
"""Ticks of a frame: phones are spread over them."""

SESSION_SLOTS = 10
"""A session is ticked twice as often as a phone."""

_APPEND = b'{"type":"input_audio_buffer.append","audio":"'


class Exchange:
    """What all sessions of a run share: the phones by number, and the sessions themselves."""

    def __init__(self, *, tool_share: float = 0.0) -> None:
        self.phones: Rota[LoadPhone] = Rota(SLOTS)
        self.sessions: Rota[LoadModel] = Rota(SESSION_SLOTS)
        self.measure_from_ns = 1 << 62
        self.tool_share = tool_share
        self.opened = 0
        """How many sessions there have been."""

    def enter(self, session: LoadModel) -> int:
        """Take in a session and return its number: the order in which they were opened."""
        number, self.opened = self.opened, self.opened + 1
        self.sessions.add(number, session)
        return number

    def open_sessions(self) -> int:
        """Count the connections that are open."""
        return sum(not session.over for session in self.sessions)


class LoadModel(WireEnd):
    """The server's end of one session; ``tick`` is to be called every few milliseconds."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(None)
        self.heard = Arrivals(measure_from_ns=exchange.measure_from_ns)
        self.first_frame_ns: int | None = None
        self.over = False
        self.number = exchange.enter(self)
        self._exchange = exchange
        self._events = EventWriter(self.send)
        self.plan = Plan(self._events, self.number, exchange.tool_share)
        self.spoken = self.plan.spoken

    @property
    def phone(self) -> LoadPhone | None:
        """The phone that was heard first."""
        return self.plan.phone

    def tick(self) -> None:
        """Do what the plan says for this moment."""
        self.plan.tick(monotonic_ns())

    def opened(self) -> None:
        """Announce the session."""
        self._events.say("session.created", session={"type": "realtime", "id": "sess_load"})

    def closed(self) -> None:
        """Take note of the end."""
        self.over = True
        self.plan.stop()

    def take(self, text: bytes) -> None:
        """Take an event of the client's."""
        if text.startswith(_APPEND) and text.endswith(b'"}'):
            self._hear(text[len(_APPEND) : -2])
        else:
            self._obey(json.loads(text))

    def _obey(self, event: dict[str, Any]) -> None:
        match event["type"]:
            case "input_audio_buffer.append":
                self._hear(event["audio"].encode())
            case "session.update":
                self.plan.has_tool = offers_tool(event["session"])
                self._events.say("session.updated", session=event["session"])
            case "response.create":
                self.plan.respond(monotonic_ns())
            case "conversation.item.create":
                self.spoken.tools_answered += event["item"]["type"] == "function_call_output"
            case "conversation.item.truncate":
                keys = ("item_id", "content_index", "audio_end_ms")
                told = {key: event[key] for key in keys}
                self._events.say("conversation.item.truncated", **told)
            case "conversation.item.delete":
                self._events.say("conversation.item.deleted", item_id=event["item_id"])

    def _hear(self, payload: bytes) -> None:
        now_ns = monotonic_ns()
        last = self.heard.take_text(payload, now_ns)
        if last is not None and self.plan.phone is None:
            phone = self._exchange.phones.get(last.call)
            if phone is not None:
                self.first_frame_ns = now_ns
                self.plan.start(phone, now_ns)
