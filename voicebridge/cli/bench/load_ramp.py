"""How many calls one core bears: steps that double, then halve the rest."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from voicebridge.rehearsal.load_figures import LoadFigures

FIRST, FINEST, MOST = 50, 10, 1000
P99_MS = 20.0
TRIES = 3
"""How often a step is made whose run was void."""


@dataclass(slots=True)
class Ramp:
    """What was found: ``borne`` calls are borne, ``failed`` are not; None if no limit was found."""

    borne: int = 0
    failed: int | None = None
    why: str = ""
    """What was wrong at ``failed`` calls."""
    runs: list[LoadFigures] = field(default_factory=list)

    def next_step(self) -> int | None:
        """Choose the number of calls to try next; None when the answer is known."""
        if self.failed is None:
            return min(max(FIRST, 2 * self.borne), MOST) if self.borne < MOST else None
        if self.failed - self.borne <= FINEST:
            return None
        middle = (self.borne + self.failed) // 2
        return max(self.borne + 1, middle - middle % FINEST)

    def to_dict(self) -> dict[str, int | str | None]:
        """Return the result as JSON values."""
        return {"borne": self.borne, "failed": self.failed, "why": self.why}

    def told(self, name: str) -> str:
        """Write the result as a line."""
        if self.failed is None:
            return f"{name}: {self.borne} calls on one core and no limit found"
        runs = [run for run in self.runs if run.calls == self.borne and not run.void]
        delays = (
            f" with p99 {runs[-1].up_ms.p99:.1f} / {runs[-1].down_ms.p99:.1f} ms" if runs else ""
        )
        return f"{name}: {self.borne} calls on one core{delays}; at {self.failed}: {self.why}"


async def climb(run: Callable[[int], Awaitable[LoadFigures]]) -> Ramp:
    """Find the most calls that lose nothing and keep the delay's p99 under the bound."""
    ramp = Ramp()
    while (calls := ramp.next_step()) is not None:
        why = await _tried(run, calls, ramp)
        if why:
            ramp.failed, ramp.why = calls, why
        else:
            ramp.borne = calls
    return ramp


async def _tried(run: Callable[[int], Awaitable[LoadFigures]], calls: int, ramp: Ramp) -> str:
    why = ""
    for _ in range(TRIES):
        figures = await run(calls)
        ramp.runs.append(figures)
        why = figures.unbearable(P99_MS)
        if not figures.void:
            break
    return why
