"""The client's wishes about items: create, retrieve, delete, truncate (sections 5.3 and 6)."""

from __future__ import annotations

import time

from voicebridge.rehearsal.client_events import (
    FunctionCallOutput,
    ItemCreate,
    ItemNamed,
    ItemTruncate,
)
from voicebridge.rehearsal.conversation import Item, Json
from voicebridge.rehearsal.refusals import RefusedError
from voicebridge.rehearsal.session_log import Delete, SpokenItem, Truncate
from voicebridge.rehearsal.session_state import SessionState, new_id

HEARD_WORDS = 4


class ItemDesk:
    """Serve item events, and remember what the caller has heard of a reply."""

    def __init__(self, state: SessionState) -> None:
        self._state = state

    def create(self, event: ItemCreate) -> None:
        """Add an item; an output must answer a call of this conversation."""
        new = event.item
        body = new.model_dump(exclude={"id", "object", "status"}, exclude_none=True)
        if body["type"] == "function_call":
            body.setdefault("call_id", new_id("call"))
        item = Item(new.id or new_id("item"), body)
        previous = self._state.conversation.add(item, event.previous_item_id)
        self._state.log.told.extend(_texts(body))
        for kind in ("added", "done"):
            wire = item.on_the_wire()
            self._emit(f"conversation.item.{kind}", previous_item_id=previous, item=wire)
        if isinstance(new, FunctionCallOutput):
            self._take_output(new)

    def retrieve(self, event: ItemNamed) -> None:
        """Show an item as the model has it."""
        item = self._state.conversation.find(event.item_id, "retrieve")
        self._emit("conversation.item.retrieved", item=item.on_the_wire())

    def delete(self, event: ItemNamed) -> None:
        """Take an item out; a reply that goes was not heard at all."""
        state, now = self._state, time.monotonic()
        try:
            state.conversation.delete(event.item_id)
        except RefusedError:
            state.log.deletes.append(Delete(now, event.item_id, accepted=False))
            raise
        state.log.deletes.append(Delete(now, event.item_id, accepted=True))
        self._emit("conversation.item.deleted", item_id=event.item_id)
        self._remember(event.item_id, 0)

    def truncate(self, event: ItemTruncate) -> None:
        """Cut a reply to what was heard."""
        state, now = self._state, time.monotonic()
        item_id, end_ms = event.item_id, event.audio_end_ms
        try:
            state.conversation.truncate(item_id, event.content_index, end_ms)
        except RefusedError as error:
            state.log.truncates.append(Truncate(now, item_id, end_ms, False, error.code))
            raise
        state.log.truncates.append(Truncate(now, item_id, end_ms, True))
        where = {"content_index": event.content_index, "audio_end_ms": end_ms}
        self._emit("conversation.item.truncated", item_id=item_id, **where)
        self._remember(item_id, end_ms)

    def _take_output(self, new: FunctionCallOutput) -> None:
        state = self._state
        state.memory.remember_output(new.output)
        for call in state.log.tool_calls:
            if call.call_id == new.call_id and call.output is None:
                call.output, call.output_at = new.output, time.monotonic()
                state.note("tool", f"{call.name} gave {new.output}")

    def _remember(self, item_id: str, heard_ms: int) -> None:
        spoken = self._state.log.items.get(item_id)
        if spoken is None:
            return
        memory = self._state.memory
        memory.heard, memory.rest = heard_and_rest(spoken, heard_ms)
        self._state.note("cut", f'heard {heard_ms} ms, up to "{memory.heard}"')

    def _emit(self, event_type: str, **fields: object) -> None:
        self._state.outbox.emit({"type": event_type, **fields})


def _texts(body: Json) -> list[str]:
    """Give the words of an item that a client has written."""
    texts = [body.get("arguments"), body.get("output")]
    texts += [part.get("text") for part in body.get("content", ())]
    return [text for text in texts if text]


def heard_and_rest(spoken: SpokenItem, heard_ms: int) -> tuple[str, str]:
    """Give the last words heard whole, and the text from the sentence that was cut."""
    texts = [word.text for word in spoken.words]
    heard = sum(word.end_ms <= heard_ms for word in spoken.words)
    sentence = heard
    while sentence > 0 and not texts[sentence - 1].endswith((".", "!", "?")):
        sentence -= 1
    last = " ".join(texts[max(0, heard - HEARD_WORDS) : heard])
    return last.rstrip(".,;:!?"), " ".join(texts[sentence:]) if heard < len(texts) else ""
