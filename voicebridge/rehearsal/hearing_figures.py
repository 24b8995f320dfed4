"""Judge what a bridge believed of the caller's ear, cut by cut, from the logs of both ends.

The truth is the phone's: which bytes it had played when a clear took effect. What the bridge
believed is what it told the model: a truncate, a delete, or nothing at all.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field

from voicebridge.rehearsal.call_figures import clear_delays_ms
from voicebridge.rehearsal.hearing_truth import HeardItem, hearing_truth
from voicebridge.rehearsal.phone_log import CallerSpeech, Clear, PhoneLog
from voicebridge.rehearsal.session_log import SessionLog

NOTICED_WITHIN_MS = 400
"""How long speech over the agent may take to stop it, besides the way there and back."""

LATE_S = 1.5
"""What the model began to say so shortly before the end may still have been under way."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What lies between the phone and the bridge; one way, in ms."""

    delay_ms: int
    jitter_ms: int

    @property
    def name(self) -> str:
        """Name the setting as the table does."""
        return f"{self.delay_ms} ms + {self.jitter_ms}" if self.jitter_ms else f"{self.delay_ms} ms"


@dataclass(slots=True)
class Cuts:
    """What was measured of barge-ins; several calls add up.

    ``errors_ms`` holds, for every truncate, what the model was told less what was heard.
    ``wrong`` tells of each item that was not settled as it was heard.
    """

    barge_ins: int = 0
    missed: int = 0
    errors_ms: list[float] = field(default_factory=list)
    items: int = 0
    wrong: list[str] = field(default_factory=list)
    rejected: int = 0
    stale_bytes: int = 0
    clear_delays_ms: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, other: Cuts) -> None:
        """Add the figures of other calls."""
        self.barge_ins += other.barge_ins
        self.missed += other.missed
        self.errors_ms += other.errors_ms
        self.items += other.items
        self.wrong += other.wrong
        self.rejected += other.rejected
        self.stale_bytes += other.stale_bytes
        self.clear_delays_ms += other.clear_delays_ms
        self.problems += other.problems

    @property
    def right_percent(self) -> float:
        """Tell how many of the items were settled as they were heard."""
        return 100.0 * (1 - len(self.wrong) / self.items) if self.items else 100.0

    def as_dict(self) -> dict[str, object]:
        """Give the figures and what they were made of as plain data."""
        return {
            **asdict(self),
            "right_percent": self.right_percent,
            "error_ms": spread([abs(error) for error in self.errors_ms]),
            "clear_delay_ms": spread(self.clear_delays_ms),
        }


def spread(values: Sequence[float]) -> dict[str, float | None]:
    """Give median, 99th percentile and the most; None of nothing."""
    return {
        "p50": percentile(values, 50),
        "p99": percentile(values, 99),
        "max": max(values, default=None),
    }


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Give the least value that so many percent of the values do not exceed."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def cuts_of(phone: PhoneLog, model: SessionLog) -> Cuts:
    """Measure a call in which every barge-in cuts."""
    heard = [item for item in hearing_truth(phone, model) if _judged(item, phone)]
    cuts = Cuts(
        barge_ins=len(phone.clears),
        missed=sum(_missed(speech, phone) for speech in phone.caller_speech),
        rejected=sum(not truncate.accepted for truncate in model.truncates),
        stale_bytes=sum(item.stale_bytes for item in heard),
        clear_delays_ms=clear_delays_ms(phone, model),
        problems=[*phone.errors, *(violation.message for violation in phone.protocol_violations)],
    )
    for item in heard:
        truth, told = _truth(item), _told(item, model)
        cuts.items += 1
        if truth != told:
            cuts.wrong.append(
                f"{item.item.item_id}: {truth} ({item.heard_ms:g} of {item.item.sent_bytes / 8:g} "
                f"ms heard), the model believes {told}"
            )
        if truth == told == "part" and item.told_ms is not None:
            cuts.errors_ms.append(item.told_ms - item.heard_ms)
    return cuts


def _judged(item: HeardItem, phone: PhoneLog) -> bool:
    """Leave out what was on its way, or being heard, when the caller hung up."""
    if item.pieces:
        last = phone.clears[-1].received_offset if phone.clears else 0
        return item.pieces[0].received_offset < last
    begun_at = item.item.first_delta_at
    return begun_at is not None and begun_at < (phone.ended_at or 0.0) - LATE_S


def _truth(item: HeardItem) -> str:
    if item.heard_bytes == len(item.item.audio):
        return "whole"
    return "part" if item.heard_bytes else "none"


def _told(item: HeardItem, model: SessionLog) -> str:
    if any(d.item_id == item.item.item_id and d.accepted for d in model.deletes):
        return "none"
    return "whole" if item.told_ms is None else "part"


def _missed(speech: CallerSpeech, phone: PhoneLog) -> bool:
    """Tell whether the agent spoke on, from the first sound of the caller, for too long."""
    wait_ms = NOTICED_WITHIN_MS + 2 * (phone.network_delay_ms + phone.jitter_ms)
    return any(
        span.carrier_ms <= speech.start_ms and span.end_ms > speech.start_ms + wait_ms
        for span in phone.played
    )


@dataclass(slots=True)
class Coughs:
    """What was measured of coughs: the audio lost (+) or repeated (-) at each resume, in ms."""

    coughs: int = 0
    pauses: int = 0
    cut: int = 0
    slips_ms: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, other: Coughs) -> None:
        """Add the figures of other calls."""
        self.coughs += other.coughs
        self.pauses += other.pauses
        self.cut += other.cut
        self.slips_ms += other.slips_ms
        self.problems += other.problems

    def as_dict(self) -> dict[str, object]:
        """Give the figures and what they were made of as plain data."""
        return {**asdict(self), "slip_ms": spread([abs(slip) for slip in self.slips_ms])}


def coughs_of(phone: PhoneLog, model: SessionLog, cough: str) -> Coughs:
    """Measure a call in which ``cough`` pauses and nothing cuts."""
    heard = hearing_truth(phone, model)
    coughs = Coughs(
        coughs=sum(speech.text == cough for speech in phone.caller_speech),
        problems=[*phone.errors, *(violation.message for violation in phone.protocol_violations)],
    )
    for clear in phone.clears:
        if phone.ended_at is not None and clear.at > phone.ended_at - LATE_S:
            continue
        coughs.pauses += 1
        slip_ms = _slip_ms(clear, heard)
        if slip_ms is None:
            coughs.cut += 1
        else:
            coughs.slips_ms.append(slip_ms)
    return coughs


def _slip_ms(clear: Clear, heard: Iterable[HeardItem]) -> float | None:
    """Tell how far from where it stopped the reply went on; None if it did not."""
    pieces = sorted(
        ((piece, item) for item in heard for piece in item.pieces),
        key=lambda entry: entry[0].received_offset,
    )
    before = [e for e in pieces if e[0].received_offset <= clear.played_received_offset]
    after = [e for e in pieces if e[0].received_offset >= clear.received_offset]
    if not before or not after:
        return None
    (stopped, stopped_item), (resumed, resumed_item) = before[-1], after[0]
    at = stopped.item_offset + clear.played_received_offset - stopped.received_offset
    at = min(at, len(stopped_item.item.audio))
    if resumed_item is stopped_item:
        return (resumed.item_offset - at) / 8
    if at < len(stopped_item.item.audio) or resumed.item_offset:
        return None
    return 0.0
