"""The figures of a soak: what the bridge holds while calls come and go, and whether it grows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from statistics import median
from typing import Any

from voicebridge.rehearsal.load_process import Memory

GROWTH_BAR_KB = 5 * 1024
"""More growth than this in the last half is a leak."""

WARM_UP_S = 600
"""Until then memory grows in any case: arenas, caches, what is imported late."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at the bridge; the rest is seen from the generator."""

    at_s: float
    memory: Memory
    files: int
    calls: int
    sessions: int
    """Model connections that are open."""
    ended: int
    """Calls that are over, from the beginning."""
    late_p99_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Growth:
    """How a measure changed over the last half."""

    first_kb: float
    """The median of the half's first tenth."""
    last_kb: float
    """The median of its last tenth."""
    trend_kb: float
    """What the middle slope of all pairs of samples makes of the whole half."""

    @property
    def kb(self) -> float:
        """The growth, by the medians."""
        return self.last_kb - self.first_kb


def growth(samples: Sequence[Sample], measure: Callable[[Memory], float]) -> Growth:
    """Compare the ends of the last half; all 0 with less than two samples in it."""
    half = [(sample.at_s, measure(sample.memory)) for sample in samples[len(samples) // 2 :]]
    if len(half) < 2:
        return Growth(0.0, 0.0, 0.0)
    tenth = max(1, len(half) // 10)
    slopes = [
        (later - sooner) / (then - at)
        for (at, sooner), (then, later) in combinations(half, 2)
        if then > at
    ]
    lasts_s = half[-1][0] - half[0][0]
    return Growth(
        median(kb for _, kb in half[:tenth]),
        median(kb for _, kb in half[-tenth:]),
        round(median(slopes) * lasts_s, 1) if slopes else 0.0,
    )


@dataclass(slots=True)
class SoakCounts:
    """What happened in all calls together. Frames are of 20 ms."""

    hung_up: int = 0
    """Calls whose caller hung up when all had arrived: these are checked for loss."""
    cut_off: int = 0
    """Calls whose line broke without a word."""
    hurried: int = 0
    """Calls whose caller hung up within half a second."""
    model_lost: int = 0
    """Calls whose model's connection broke without a word."""
    broken: int = 0
    """Calls that the bridge refused, or ended before anybody hung up."""
    slow_to_close: int = 0
    """Calls whose stream the bridge left open after the caller had gone."""
    barge_ins: int = 0
    tools_called: int = 0
    tools_answered: int = 0
    frames: int = 0
    """Frames of the caller that were sent."""
    lost: int = 0
    repeated: int = 0
    swapped: int = 0
    altered: int = 0
    filled: int = 0
    """Silence that the bridge put in for frames that it thought missing."""
    incidents: list[str] = field(default_factory=list)
    """The first calls in which something was wrong, and what."""

    @property
    def ended(self) -> int:
        """How many calls are over."""
        ends = (self.hung_up, self.cut_off, self.hurried, self.model_lost, self.broken)
        return sum(ends)

    @property
    def wrong(self) -> int:
        """How many frames did not come as they went."""
        return self.lost + self.repeated + self.swapped + self.altered


@dataclass(frozen=True, slots=True)
class SoakFigures:
    """A soak from the first call to a second after the last."""

    calls: int
    minutes: float
    seed: int
    idle: Sample
    """The bridge before the first call."""
    after: Sample
    """The bridge when all had hung up; its sessions are connections that were left open."""
    samples: list[Sample]
    counts: SoakCounts

    @property
    def own(self) -> Growth:
        """How the bridge's own pages grew: other processes do not change them."""
        return growth(self.samples, lambda memory: memory.own_kb)

    @property
    def shared(self) -> Growth:
        """How its memory by share grew, which other processes change as they come and go."""
        return growth(self.samples, lambda memory: memory.pss_kb)

    @property
    def warm(self) -> bool:
        """Whether the last half begins late enough for its growth to mean something."""
        half = self.samples[len(self.samples) // 2 :]
        return bool(half) and half[0].at_s >= WARM_UP_S

    @property
    def faults(self) -> list[str]:
        """Say what is not as it must be."""
        counts, found = self.counts, list[str]()
        if self.warm and self.own.kb > GROWTH_BAR_KB:
            found.append(f"memory grew by {self.own.kb / 1024:.1f} MB in the last half")
        if counts.wrong:
            found.append(f"{counts.wrong} frames were lost, repeated, swapped or altered")
        if self.after.sessions:
            found.append(f"{self.after.sessions} model connections were left open")
        if counts.broken:
            found.append(f"{counts.broken} calls were refused or ended by the bridge")
        if counts.slow_to_close:
            found.append(f"{counts.slow_to_close} streams stayed open after the caller had gone")
        if not counts.ended or len(self.samples) < 2:
            found.append("too short: no two samples, or no call came to its end")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        judged = {
            "growth_own": asdict(self.own) | {"kb": self.own.kb},
            "growth_pss": asdict(self.shared) | {"kb": self.shared.kb},
            "faults": self.faults,
        }
        return {**asdict(self), **judged}


def sample_from(values: dict[str, Any]) -> Sample:
    """Read a sample back from JSON values."""
    return Sample(**{**values, "memory": Memory(**values["memory"])})


def soak_from(values: dict[str, Any]) -> SoakFigures:
    """Read figures back from JSON values."""
    return SoakFigures(
        values["calls"],
        values["minutes"],
        values["seed"],
        sample_from(values["idle"]),
        sample_from(values["after"]),
        [sample_from(sample) for sample in values["samples"]],
        SoakCounts(**values["counts"]),
    )
