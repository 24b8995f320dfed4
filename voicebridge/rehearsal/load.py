"""Place many calls at once, and sum up how they went."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from voicebridge.rehearsal.behaviour import CallerBehaviour
from voicebridge.rehearsal.carrier import SimulatedCarrier
from voicebridge.rehearsal.phone_log import PhoneLog


@dataclass(frozen=True, slots=True)
class LoadSummary:
    """What a number of calls came to; times in ms, None when no call had any."""

    calls: int
    connected: int
    ended_by: dict[str, int]
    frames_sent: int
    heard_bytes: int
    late_ticks: int
    violations: int
    errors: tuple[str, ...]
    first_audio_median_ms: float | None
    first_audio_max_ms: float | None


async def place_many(
    count: int,
    carrier: SimulatedCarrier,
    behaviour: Callable[[int], CallerBehaviour],
    *,
    deadline_s: float,
    stagger_s: float = 0.0,
) -> list[PhoneLog]:
    """Run ``count`` calls at once, each with its own phone, seed and behaviour.

    Call number n begins ``n * stagger_s`` after the first; 20 ms spread over the calls keeps
    their ticks from all falling on the same moment.
    """

    async def place(number: int) -> PhoneLog:
        await asyncio.sleep(number * stagger_s)
        own = replace(carrier, seed=carrier.seed + number)
        return await own.place_call(behaviour(number), deadline_s=deadline_s)

    async with asyncio.TaskGroup() as tasks:
        calls = [tasks.create_task(place(number)) for number in range(count)]
    return [call.result() for call in calls]


def sum_up(logs: Sequence[PhoneLog]) -> LoadSummary:
    """Sum up the calls of ``place_many``."""
    waits_ms = sorted(
        (log.first_agent_audio_at - log.connected_at) * 1000
        for log in logs
        if log.first_agent_audio_at is not None and log.connected_at is not None
    )
    return LoadSummary(
        calls=len(logs),
        connected=sum(log.connected_at is not None for log in logs),
        ended_by=dict(Counter(log.ended_by for log in logs)),
        frames_sent=sum(log.frames_sent for log in logs),
        heard_bytes=sum(span.nbytes for log in logs for span in log.played),
        late_ticks=sum(log.late_ticks for log in logs),
        violations=sum(log.violation_count for log in logs),
        errors=tuple(error for log in logs for error in log.errors),
        first_audio_median_ms=waits_ms[len(waits_ms) // 2] if waits_ms else None,
        first_audio_max_ms=waits_ms[-1] if waits_ms else None,
    )
