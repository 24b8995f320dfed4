"""The figures of one run under load: how they are summed up, and when a run is void."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from voicebridge.rehearsal.load_model import LoadModel
from voicebridge.rehearsal.load_phone import LoadPhone
from voicebridge.rehearsal.load_stamp import FRAME_BYTES

LATE_P99_MS = 3.0
"""A generator whose hundredth tick comes later than this measures itself."""

HELD_UP_PERCENT = 5.0
"""A bridge that waited this much of the time for its core shares it with something else."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How a number of times lie, in milliseconds; all 0 where there were none."""

    count: int = 0
    p50: float = 0.0
    p99: float = 0.0
    p999: float = 0.0
    most: float = 0.0

    @classmethod
    def of(cls, times_ms: Iterable[float]) -> Spread:
        """Sort times and read them off."""
        ranked = sorted(times_ms)
        if not ranked:
            return cls()
        size = len(ranked)
        shares = (0.5, 0.99, 0.999, 1.0)
        p50, p99, p999, most = (
            round(ranked[min(size - 1, int(size * share))], 3) for share in shares
        )
        return cls(size, p50, p99, p999, most)


@dataclass(frozen=True, slots=True)
class LoadFigures:
    """One run. Bytes are of audio; ``up`` is caller to model, ``down`` model to caller."""

    calls: int
    window_s: float
    cpu_ms: float
    """Processor time of the bridge for one call and second."""
    generator_cpu_percent: float
    held_up_percent: float
    """How much of the time the bridge was ready to run and something else had its core."""
    late_ms: Spread
    idle_kb: int
    """Memory of the idle bridge; shared pages count by share."""
    memory_kb_per_call: float
    """How many pages of its own it had more for each call: other processes do not change them."""
    up_ms: Spread
    down_ms: Spread
    set_up_ms: Spread
    clear_ms: Spread
    barge_ins: int
    lost: int
    repeated: int
    swapped: int
    altered: int
    stale: int
    """Bytes of a reply that came behind its clear."""
    filled: int
    """Bytes of silence that the bridge put in for frames it thought missing."""
    broken: int
    """Calls that were not answered, or ended before they were to."""
    left_open: int
    """Model connections open a second after the last call hung up."""

    @property
    def void(self) -> str:
        """Say why the run measures nothing, or nothing if it does."""
        if self.late_ms.p99 > LATE_P99_MS:
            return f"the generator was late: p99 {self.late_ms.p99:.1f} ms"
        if not (self.late_ms.count and self.up_ms.count and self.down_ms.count):
            return "nothing came through"
        if self.held_up_percent > HELD_UP_PERCENT:
            return f"something else held the bridge's core for {self.held_up_percent:.0f} %"
        return ""

    @property
    def whole(self) -> bool:
        """Whether every byte came once, unchanged and in order, and every call to its end."""
        return not (self.lost or self.repeated or self.swapped or self.altered or self.broken)

    def unbearable(self, p99_ms: float) -> str:
        """Say what makes this more calls than can be borne, or nothing if they are borne."""
        if self.void:
            return f"void, {self.void}"
        if not self.whole:
            harm = self.lost + self.repeated + self.swapped + self.altered
            return f"{harm} bytes wrong, {self.broken} calls broken"
        slowest = max(self.up_ms.p99, self.down_ms.p99)
        return f"p99 {slowest:.1f} ms" if slowest >= p99_ms else ""

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return {**asdict(self), "void": self.void}


def figures_from(values: dict[str, Any]) -> LoadFigures:
    """Read figures back from JSON values."""
    spreads = ("late_ms", "up_ms", "down_ms", "set_up_ms", "clear_ms")
    read = {name: value for name, value in values.items() if name != "void"}
    return LoadFigures(**{**read, **{name: Spread(**read[name]) for name in spreads}})


def settled_runs(runs: Sequence[LoadFigures]) -> list[LoadFigures]:
    """Return the runs that count."""
    return [run for run in runs if not run.void]


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes that did not come as they went."""

    lost: int
    repeated: int
    swapped: int
    altered: int


def damage(phones: Collection[LoadPhone], sessions: Collection[LoadModel]) -> Damage:
    """Compare what was sent with what came, in both directions; of a cut reply a part may miss."""
    ends = [*(phone.heard for phone in phones), *(session.heard for session in sessions)]
    return Damage(
        (lost_up(phones, sessions) + lost_down(sessions)) * FRAME_BYTES,
        sum(end.repeated for end in ends) * FRAME_BYTES,
        sum(end.swapped for end in ends) * FRAME_BYTES,
        sum(end.altered for end in ends) * FRAME_BYTES,
    )


def lost_up(phones: Iterable[LoadPhone], sessions: Iterable[LoadModel]) -> int:
    """Count the frames of callers that no model heard."""
    heard_by = {session.phone: session.heard for session in sessions if session.phone}
    return sum(
        phone.sent - (heard_by[phone].came.get(0, 0) if phone in heard_by else 0)
        for phone in phones
    )


def lost_down(sessions: Iterable[LoadModel]) -> int:
    """Count the frames of models that no phone got; of a cut reply a part may miss."""
    return sum(
        said - (session.phone.heard.came.get(run, 0) if session.phone else 0)
        for session in sessions
        for run, said in session.spoken.frames.items()
        if run not in session.spoken.cut_runs
    )


def together(times: Iterable[array[float]]) -> Spread:
    """Sum up the times of many ends."""
    return Spread.of(time for end in times for time in end)
