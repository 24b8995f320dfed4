"""Which bytes of the line belong to which item of the model's, and how much of each was heard."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum, auto

from voicebridge.audio.format import whole_ms


class Verdict(Enum):
    """How much of an item was heard."""

    WHOLE = auto()
    PART = auto()
    NONE = auto()


@dataclass(frozen=True, slots=True)
class Settled:
    """One item, settled for good.

    ``heard_ms`` is in whole milliseconds, 0 to ``received_ms``.
    """

    item_id: str
    content_index: int
    verdict: Verdict
    heard_ms: int
    received_ms: int


@dataclass(slots=True)
class _Item:
    item_id: str
    response_id: str
    content_index: int
    received: int = 0
    heard: int = 0
    complete: bool = False


@dataclass(slots=True)
class _Piece:
    item: _Item
    start: int
    end: int


class Ledger:
    """The items on the line that are not settled yet, and the pieces of the line they own."""

    __slots__ = (
        "_completed",
        "_items",
        "_pieces",
    )

    def __init__(self) -> None:
        self._items: dict[str, _Item] = {}
        self._pieces: deque[_Piece] = deque()
        self._completed = False

    def __bool__(self) -> bool:
        """Tell whether any item waits to be settled."""
        return bool(self._items)

    def items(self) -> set[str]:
        """Return the items that wait to be settled."""
        return set(self._items)

    def responses(self) -> set[str]:
        """Return the responses whose items wait to be settled."""
        return {item.response_id for item in self._items.values()}

    def response_at(self, position: int) -> str | None:
        """Return the response that owns the next byte to be heard from ``position`` on."""
        return next(
            (piece.item.response_id for piece in self._pieces if piece.end > position), None
        )

    def add(self, response_id: str, item_id: str, content_index: int, span: range) -> None:
        """Enter a stretch of the line as a piece of an item."""
        item = self._items.get(item_id)
        if item is None:
            item = self._items[item_id] = _Item(item_id, response_id, content_index)
        item.received += len(span)
        last = self._pieces[-1] if self._pieces else None
        if last is not None and last.item is item and last.end == span.start:
            last.end = span.stop
        else:
            self._pieces.append(_Piece(item, span.start, span.stop))

    def complete(self, owner: str) -> bool:
        """Take note that an item, or every item of a response, has all its audio.

        Returns whether there was one that could have got more.
        """
        ending = [
            item
            for item in self._items.values()
            if owner in (item.item_id, item.response_id) and not item.complete
        ]
        for item in ending:
            item.complete = self._completed = True
        return bool(ending)

    def advance(self, heard: int) -> list[Settled]:
        """Bring the items up to a position; those complete and heard to the end are settled."""
        pieces = self._pieces
        if not self._completed and (not pieces or pieces[0].end > heard):
            return []
        self._completed = False
        while pieces and pieces[0].end <= heard:
            piece = pieces.popleft()
            piece.item.heard += piece.end - piece.start
        whole = [i for i in self._items.values() if i.complete and i.heard == i.received]
        for item in whole:
            del self._items[item.item_id]
        return [_settle(item) for item in whole]

    def settle(self, heard: int) -> list[Settled]:
        """Settle every item by a position, in the order they were spoken.

        This is the only place from which an ``audio_end_ms`` comes.
        """
        for piece in self._pieces:
            piece.item.heard += max(0, min(piece.end, heard) - piece.start)
        settled = [_settle(item) for item in self._items.values()]
        self._pieces.clear()
        self._items.clear()
        return settled


def _settle(item: _Item) -> Settled:
    heard_ms, received_ms = whole_ms(item.heard), whole_ms(item.received)
    if item.complete and item.heard == item.received:
        verdict = Verdict.WHOLE
    else:
        verdict = Verdict.PART if heard_ms else Verdict.NONE
    return Settled(item.item_id, item.content_index, verdict, heard_ms, received_ms)
