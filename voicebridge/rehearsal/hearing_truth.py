"""Know what was heard of each reply, and hold it against what the model was told.

The phone's log says of every byte whether it was played; the model's log says which bytes make
up which item. Together they are the truth: how far into each item the caller's ear came.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from voicebridge.rehearsal.alignment import WINDOW_BYTES, Piece, align
from voicebridge.rehearsal.phone_log import Clear, PhoneLog
from voicebridge.rehearsal.session_log import SessionLog, SpokenItem

TOLD_WITHIN_S = 1.0
"""A cut this shortly before the end of the session need not have been told to the model."""


@dataclass(slots=True)
class HeardItem:
    """How one item of the model fared at the phone; byte counts are positions in its audio."""

    item: SpokenItem
    pieces: list[Piece] = field(default_factory=list)
    received_bytes: int = 0
    heard_bytes: int = 0
    stale_bytes: int = 0
    first_played_ms: float | None = None
    last_played_ms: float | None = None
    told_ms: int | None = None
    told_at: float | None = None
    cut_by: Clear | None = None
    cancelled_at: float | None = None

    @property
    def heard_ms(self) -> float:
        """Tell how much of the item was heard."""
        return self.heard_bytes / 8

    @property
    def is_cut(self) -> bool:
        """Tell whether the item was ended before its end, or the model told that it was."""
        if self.told_ms is not None or self.cut_by is not None:
            return True
        return self.cancelled_at is not None and self.heard_bytes < self.item.sent_bytes

    @property
    def heard_words(self) -> str:
        """Give the words that were heard to their end."""
        return " ".join(word.text for word in self.item.words if word.end_ms <= self.heard_ms)

    @property
    def unheard_words(self) -> str:
        """Give the words that were not heard to their end."""
        return " ".join(word.text for word in self.item.words if word.end_ms > self.heard_ms)


@dataclass(frozen=True, slots=True)
class Cut:
    """One cut item: what was heard of it, and what the model believes was.

    ``told_ms`` is None when the model was never told and believes that all it sent was heard.
    """

    item_id: str
    heard_ms: float
    told_ms: int | None
    error_ms: float


def hearing_truth(phone: PhoneLog, model: SessionLog) -> list[HeardItem]:
    """Follow each spoken item, in the order in which they were first sent, to the ear."""
    spoken = [item for item in model.items.values() if item.first_delta_at is not None]
    spoken.sort(key=lambda item: item.first_delta_at or 0.0)
    heard = [HeardItem(item) for item in spoken]
    sent = [bytes(item.audio[: item.sent_bytes]) for item in spoken]
    starts = [message.stream_offset for message in phone.received]
    for piece in align(bytes(phone.received_audio), sent, starts):
        heard[piece.item].pieces.append(piece)
    cancelled = {r.response_id: r.done_at for r in model.responses if r.status == "cancelled"}
    for item in heard:
        item.cancelled_at = cancelled.get(item.item.response_id)
        _note_what_was_told(item, model)
        _note_the_cut(item, phone)
        _note_what_was_heard(item, phone)
    return heard


def cuts(heard: Sequence[HeardItem], model: SessionLog) -> list[Cut]:
    """List the cut items with the error of what the model was told, in ms."""
    found = []
    for item in heard:
        if not item.is_cut:
            continue
        if item.told_ms is not None:
            error_ms = abs(item.told_ms - item.heard_ms)
        elif _ended_soon_after(item, model):
            continue
        else:
            error_ms = item.item.sent_bytes / 8 - item.heard_ms
        found.append(Cut(item.item.item_id, item.heard_ms, item.told_ms, error_ms))
    return found


def _ended_soon_after(item: HeardItem, model: SessionLog) -> bool:
    cut_at = item.cut_by.at if item.cut_by is not None else item.cancelled_at
    if model.closed_at is None or cut_at is None:
        return False
    return model.closed_at - cut_at < TOLD_WITHIN_S


def _note_what_was_told(heard: HeardItem, model: SessionLog) -> None:
    for truncate in model.truncates:
        if truncate.item_id == heard.item.item_id and truncate.accepted:
            heard.told_ms, heard.told_at = truncate.audio_end_ms, truncate.at
    for delete in model.deletes:
        if delete.item_id == heard.item.item_id and delete.accepted:
            heard.told_ms, heard.told_at = 0, delete.at


def _note_the_cut(heard: HeardItem, phone: PhoneLog) -> None:
    """Find the clear that ended the item: the last before the model was told.

    Without any telling, the last that dropped audio of it, unless the item was taken up again.
    """
    begun_at = heard.pieces[0].received_offset if heard.pieces else 0
    for clear in phone.clears:
        if heard.told_at is not None:
            if clear.arrived_at <= heard.told_at and begun_at < clear.received_offset:
                heard.cut_by = clear
        elif any(_overlap(piece, clear) for piece in heard.pieces):
            heard.cut_by = clear
    untold = heard.told_at is None and heard.cancelled_at is None
    if untold and heard.cut_by is not None and _taken_up_again(heard.pieces, heard.cut_by):
        heard.cut_by = None


def _taken_up_again(pieces: Sequence[Piece], clear: Clear) -> bool:
    return any(piece.received_end >= clear.received_offset + WINDOW_BYTES for piece in pieces)


def _note_what_was_heard(heard: HeardItem, phone: PhoneLog) -> None:
    """Add up the played parts: up to the cut they were heard, after it they are stale.

    A stretch of one single value after the cut is silence, which belongs to nobody.
    """
    dropped = [*phone.clears, *phone.lost_at_close]
    cut_at = heard.cut_by.received_offset if heard.cut_by else len(phone.received_audio)
    for piece in heard.pieces:
        heard.received_bytes = max(heard.received_bytes, piece.item_offset + piece.nbytes)
        for start, end in _played_parts(piece, dropped):
            before_cut = min(end, cut_at)
            if len(set(phone.received_audio[max(start, before_cut) : end])) > 1:
                heard.stale_bytes += end - max(start, before_cut)
            if start < before_cut:
                position = piece.item_offset + before_cut - piece.received_offset
                heard.heard_bytes = max(heard.heard_bytes, position)
            first_ms, last_ms = carrier_ms_of(phone, start), carrier_ms_of(phone, end - 1)
            if heard.first_played_ms is None:
                heard.first_played_ms = first_ms
            heard.last_played_ms = last_ms + 1 / 8


def _overlap(piece: Piece, clear: Clear) -> bool:
    return (
        piece.received_offset < clear.received_offset
        and clear.played_received_offset < piece.received_end
    )


def _played_parts(piece: Piece, dropped: Sequence[Clear]) -> list[tuple[int, int]]:
    """Cut out of a piece what was dropped; the parts that are left were played."""
    parts = []
    start = piece.received_offset
    for clear in dropped:
        if clear.dropped_bytes and _overlap(piece, clear):
            if start < clear.played_received_offset:
                parts.append((start, clear.played_received_offset))
            start = max(start, clear.received_offset)
    if start < piece.received_end:
        parts.append((start, piece.received_end))
    return parts


def carrier_ms_of(phone: PhoneLog, received_offset: int) -> float:
    """Tell when a played byte was played, by the carrier's clock."""
    number = bisect_right(phone.played, received_offset, key=lambda span: span.received_offset) - 1
    span = phone.played[number]
    return span.carrier_ms + (received_offset - span.received_offset) / 8
