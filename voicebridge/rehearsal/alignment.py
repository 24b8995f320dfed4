"""Find again, in the audio that reached the phone, what the model said.

The line of received bytes is read from left to right. At each place the longest match with the
audio of some item is taken: its beginning, where it was left off, or any place in it (a reply
that goes on after a pause). What matches nothing, such as a packaged phrase of the bridge, is
stepped over.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from voicebridge.rehearsal.ear import QUIET_BYTES

WINDOW_BYTES = 160
LEAST_MATCH_BYTES = 80


@dataclass(frozen=True, slots=True)
class Piece:
    """``nbytes`` of item number ``item`` from ``item_offset``, received at ``received_offset``."""

    item: int
    received_offset: int
    item_offset: int
    nbytes: int

    @property
    def received_end(self) -> int:
        """Tell the received offset just behind the piece."""
        return self.received_offset + self.nbytes


def align(received: bytes, items: Sequence[bytes], starts: Sequence[int] = ()) -> list[Piece]:
    """Locate ``items`` in ``received``; ``starts`` are the offsets at which messages began.

    Two items of the same sound are told apart by their order.
    """
    return _Alignment(received, items, starts).run()


def common_length(a: memoryview, b: memoryview) -> int:
    """Tell how many bytes two views have in common from their start."""
    low, high = 0, min(len(a), len(b))
    if a[:high] == b[:high]:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle
    return low


class _Alignment:
    def __init__(self, received: bytes, items: Sequence[bytes], starts: Sequence[int]) -> None:
        self._received, self._items, self._starts = received, items, starts
        self._view = memoryview(received)
        self._views = [memoryview(item) for item in items]
        self._reached: dict[int, int] = {}
        self._pieces: list[Piece] = []

    def run(self) -> list[Piece]:
        cursor = 0
        while cursor < len(self._received):
            piece = self._best_at(cursor)
            if piece is None:
                cursor = self._next_start(cursor)
                continue
            self._take_back(piece)
            piece = self._pieces[-1]
            self._reached[piece.item] = piece.item_offset + piece.nbytes
            cursor = piece.received_end
        return [piece for piece in self._pieces if not self._by_chance(piece)]

    def _in_silence(self, cursor: int, length: int) -> bool:
        """Tell a match that is nothing but a part of a longer silence."""
        end = cursor + length
        return end < len(self._received) and len(set(self._view[cursor : end + 1])) == 1

    def _by_chance(self, piece: Piece) -> bool:
        """Tell a bit of silence that was taken for a part of what came whole elsewhere."""
        if self._received[piece.received_offset : piece.received_end].translate(None, QUIET_BYTES):
            return False
        return any(
            whole.item == piece.item
            and whole.nbytes > piece.nbytes
            and whole.item_offset <= piece.item_offset
            and whole.item_offset + whole.nbytes >= piece.item_offset + piece.nbytes
            for whole in self._pieces
        )

    def _best_at(self, cursor: int) -> Piece | None:
        window = self._telling_window(cursor)
        best: tuple[int, bool, int] = (0, False, 0)
        found: Piece | None = None
        for number, item in enumerate(self._items):
            places = {0, self._reached.get(number, 0)}
            if window:
                places.add(item.find(window))
            for place in places:
                if not 0 <= place < len(item):
                    continue
                length = common_length(self._view[cursor:], self._views[number][place:])
                if self._in_silence(cursor, length):
                    continue
                in_order = (place == 0) == (number not in self._reached)
                rank = (length, in_order, -number)
                if rank > best and self._enough(cursor, number, place, length):
                    best, found = rank, Piece(number, cursor, place, length)
        return found

    def _telling_window(self, cursor: int) -> bytes:
        """Take enough audio to be recognised by; none where there is only silence."""
        for windows in (1, 5, 20):
            window = self._received[cursor : cursor + windows * WINDOW_BYTES]
            if len(set(window)) > 1:
                return window
        return b""

    def _enough(self, cursor: int, number: int, place: int, length: int) -> bool:
        to_the_end = length == len(self._received) - cursor
        whole = place == 0 and length == len(self._items[number])
        return length >= LEAST_MATCH_BYTES or whole or (to_the_end and place == 0)

    def _take_back(self, piece: Piece) -> None:
        """Give a fresh item the bytes at its start that the piece before took by chance."""
        back = piece.item_offset
        last = self._pieces[-1] if self._pieces else None
        touching = last is not None and last.received_end == piece.received_offset
        if last is not None and touching and piece.item not in self._reached and back < last.nbytes:
            start = piece.received_offset - back
            if self._view[start : piece.received_offset] == self._views[piece.item][:back]:
                shorter = last.nbytes - back
                self._pieces[-1] = Piece(last.item, last.received_offset, last.item_offset, shorter)
                self._reached[last.item] = last.item_offset + shorter
                piece = Piece(piece.item, start, 0, piece.nbytes + back)
        self._pieces.append(piece)

    def _next_start(self, cursor: int) -> int:
        """Find where a match may begin again: a message, a fresh item's audio, a frame further."""
        starts = [cursor + WINDOW_BYTES]
        after = bisect_right(self._starts, cursor)
        if after < len(self._starts):
            starts.append(self._starts[after])
        for number, item in enumerate(self._items):
            if number not in self._reached:
                starts.append(self._received.find(item[: 5 * WINDOW_BYTES], cursor + 1))
        return min(start for start in starts if start > cursor)
