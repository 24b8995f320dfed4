"""The model's side of the conversation: its items, and what may be done to them. Pure.

Refusals are those of OpenAI Realtime, section 6.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from voicebridge.rehearsal.refusals import RefusedError

ItemStatus = Literal["in_progress", "completed", "incomplete"]
Json = dict[str, Any]

USER_MS_PER_TOKEN = 100
AGENT_MS_PER_TOKEN = 50
CHARACTERS_PER_TOKEN = 4


@dataclass(slots=True)
class Item:
    """One item. ``body`` is what it says on the wire, without id, object and status.

    ``audio_ms`` is the length of its audio as the model has it: it grows while the model speaks
    and shrinks at a truncate. ``spoken_by`` tells whose audio that is.
    """

    item_id: str
    body: Json
    status: ItemStatus = "completed"
    audio_ms: int = 0
    spoken_by: Literal["user", "agent"] | None = None
    truncated: bool = False

    def on_the_wire(self) -> Json:
        """Give the item as GA events carry it; a copy that later changes do not reach."""
        body = {**self.body}
        if "content" in body:
            body["content"] = [dict(part) for part in body["content"]]
        return {"id": self.item_id, "object": "realtime.item", "status": self.status, **body}

    def tokens(self) -> tuple[int, int]:
        """Count (text, audio) tokens: 1 for 100 ms of the user and for 50 ms of the agent."""
        if self.spoken_by == "user":
            return 0, -(-self.audio_ms // USER_MS_PER_TOKEN)
        if self.spoken_by == "agent":
            return 0, -(-self.audio_ms // AGENT_MS_PER_TOKEN)
        texts = [self.body.get("arguments", ""), self.body.get("output", "")]
        texts += [part.get("text") or "" for part in self.body.get("content", ())]
        return sum(-(-len(text) // CHARACTERS_PER_TOKEN) for text in texts), 0


@dataclass(slots=True)
class Conversation:
    """The items in their order."""

    conversation_id: str
    _items: dict[str, Item] = field(default_factory=dict)

    def __contains__(self, item_id: str) -> bool:
        """Tell whether the item is there."""
        return item_id in self._items

    @property
    def last_id(self) -> str | None:
        """Tell the id of the last item."""
        return next(reversed(self._items), None)

    def tokens(self) -> tuple[int, int]:
        """Count the (text, audio) tokens of all items."""
        counts = [item.tokens() for item in self._items.values()]
        return sum(text for text, _ in counts), sum(audio for _, audio in counts)

    def add(self, item: Item, after: str | None = None) -> str | None:
        """Put ``item`` after that one ("root": first; None: last) and tell which is before it."""
        if item.item_id in self._items:
            message = f"Item with ID '{item.item_id}' already exists in the conversation."
            raise RefusedError("item_create_duplicate_item_id", message, "item.id")
        self._check_call(item)
        if after is None:
            after = self.last_id
        elif after == "root":
            after = None
        elif after not in self._items:
            message = f"Previous item with ID '{after}' not found."
            raise RefusedError("invalid_value", message, "previous_item_id")
        self._insert(item, after)
        return after

    def _check_call(self, item: Item) -> None:
        """Refuse an output that answers no call."""
        if item.body["type"] != "function_call_output":
            return
        calls = (known.body for known in self._items.values())
        call_id = item.body["call_id"]
        if not any(b["type"] == "function_call" and b["call_id"] == call_id for b in calls):
            message = f"Tool call ID '{call_id}' not found in conversation."
            raise RefusedError("invalid_tool_call_id", message, "item.call_id")

    def _insert(self, item: Item, after: str | None) -> None:
        if after == self.last_id:
            self._items[item.item_id] = item
            return
        ordered = list(self._items.values())
        place = 0 if after is None else ordered.index(self._items[after]) + 1
        ordered.insert(place, item)
        self._items = {one.item_id: one for one in ordered}

    def find(self, item_id: str, wish: Literal["delete", "retrieve", "truncate"]) -> Item:
        """Find an item; raises the refusal that fits the wish."""
        item = self._items.get(item_id)
        if item is None:
            message = f"Item with item_id not found: {item_id}"
            raise RefusedError(f"item_{wish}_invalid_item_id", message, "item_id")
        return item

    def before(self, item_id: str) -> str | None:
        """Tell which item stands before this one, if it is there and not the first."""
        previous = None
        for known in self._items:
            if known == item_id:
                return previous
            previous = known
        return None

    def delete(self, item_id: str) -> Item:
        """Take an item out."""
        item = self.find(item_id, "delete")
        del self._items[item_id]
        return item

    def truncate(self, item_id: str, content_index: int, audio_end_ms: int) -> Item:
        """Shorten spoken audio to what was heard; its transcript goes with the rest."""
        item = self.find(item_id, "truncate")
        if item.spoken_by != "agent" or not item.audio_ms:
            message = "Only model output audio messages can be truncated"
            raise RefusedError("unsupported_content_type", message, "item_id")
        if content_index != 0:
            message = f"Content part {content_index} of item '{item_id}' does not exist."
            raise RefusedError("invalid_value", message, "content_index")
        if audio_end_ms > item.audio_ms:
            message = f"Audio content of {item.audio_ms}ms is already shorter than {audio_end_ms}ms"
            raise RefusedError("invalid_value", message, "audio_end_ms")
        item.audio_ms, item.truncated = audio_end_ms, True
        item.body["content"] = [{"type": "output_audio"}]
        return item
