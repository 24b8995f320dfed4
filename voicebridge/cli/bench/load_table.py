"""The figures of ``voicebridge bench load`` as a text that one can read."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from voicebridge.rehearsal.load_figures import LoadFigures, settled_runs

_HEAD = (
    "calls", "CPU ms", "KB/call", "to model p50", "p99", "p99.9", "max",
    "to caller p50", "p99", "p99.9", "max", "set-up p50", "clear p99", "harm", "open", "runs",
)  # fmt: skip


def report(runs: dict[str, list[LoadFigures]]) -> str:
    """Write a table for each contestant, the ratios, and what the columns are."""
    parts = [f"{name}\n{_table(of_one)}" for name, of_one in runs.items()]
    if ratios := _ratios(runs):
        parts.append(ratios)
    parts.append(
        "CPU ms: of the process tree for one call and second. Delays are in ms, added between\n"
        "the sending and the receiving end. harm: bytes lost, repeated, swapped or altered, and\n"
        "calls broken. open: model connections left a second after hang-up. runs: those that\n"
        "count of those made; the medians are of the former. A run is void when its generator\n"
        "was late, when something else held the bridge's core, or when nothing came through."
    )
    return "\n\n".join(parts)


def _table(runs: Sequence[LoadFigures]) -> str:
    rows = [_HEAD, *(_row(runs, calls) for calls in sorted({run.calls for run in runs}))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    voids = sorted({f"  void: {run.calls} calls: {run.void}" for run in runs if run.void})
    return "\n".join([*lines, *voids])


def _row(runs: Sequence[LoadFigures], calls: int) -> tuple[str, ...]:
    made = [run for run in runs if run.calls == calls]
    settled = settled_runs(made)
    if not settled:
        return (str(calls), *("void" for _ in _HEAD[1:-1]), f"0/{len(made)}")

    def middle(values: list[float], digits: int = 1) -> str:
        return f"{median(values):.{digits}f}"

    harm = sum(not run.whole for run in settled)
    delays = [
        middle([getattr(getattr(run, side), share) for run in settled])
        for side in ("up_ms", "down_ms")
        for share in ("p50", "p99", "p999", "most")
    ]
    return (
        str(calls),
        middle([run.cpu_ms for run in settled], 2),
        middle([run.memory_kb_per_call for run in settled], 0),
        *delays,
        middle([run.set_up_ms.p50 for run in settled]),
        middle([run.clear_ms.p99 for run in settled]),
        f"in {harm}" if harm else "none",
        str(max(run.left_open for run in settled)),
        f"{len(settled)}/{len(made)}",
    )


def _ratios(runs: dict[str, list[LoadFigures]]) -> str:
    """Compare each run with the floor's in the same turn."""
    if "floor" not in runs:
        return ""
    lines = [
        _ratio(calls, name, runs)
        for name in runs
        if name != "floor"
        for calls in sorted({run.calls for run in runs[name]})
    ]
    return "\n".join(["beside the floor", *lines])


def _ratio(calls: int, name: str, runs: dict[str, list[LoadFigures]]) -> str:
    ours, floors = ([run for run in runs[one] if run.calls == calls] for one in (name, "floor"))
    turns = [
        our.cpu_ms / floor.cpu_ms
        for our, floor in zip(ours, floors, strict=False)
        if floor.cpu_ms and not our.void and not floor.void
    ]
    if not turns:
        return f"{calls:5} calls, {name}: void, no turn in which both runs count"
    return (
        f"{calls:5} calls, {name}: {median(turns):.2f} times the floor's CPU "
        f"({min(turns):.2f} to {max(turns):.2f}, {len(turns)} turns)"
    )
