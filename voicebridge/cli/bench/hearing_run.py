"""Runs the hearing bench: a model, a bridge in its own process, and the phones around it."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from voicebridge.cli.bench.served import AUTH_TOKEN, API_KEY, beside, served, spare_core, write_config
from voicebridge.rehearsal.behaviour import COUGHING, CallerBehaviour
from voicebridge.rehearsal.carrier import SimulatedCarrier
from voicebridge.rehearsal.hearing_bench import (
    Cougher,
    Interrupter,
    NoiseVoice,
    long_talk,
    session_of,
)
from voicebridge.rehearsal.hearing_figures import Coughs, Cuts, Setting, coughs_of, cuts_of
from voicebridge.rehearsal.hearing_report import HearingReport
from voicebridge.rehearsal.hearing_svg import hearing_svg
from voicebridge.rehearsal.phone_log import PhoneLog
from voicebridge.rehearsal.realtime_server import RealtimeServer
from voicebridge.rehearsal.session_log import SessionLog
from voicebridge.server.webhooks import VOICE_PATH

SETTINGS = tuple(Setting(delay, jitter) for delay in (0, 40, 80, 150) for jitter in (0, 30))
CROWD_S = 12
STAGGER_S = 0.047
"""Between two calls' first frames: no multiple of a frame, so that their ticks spread."""

GRACE_S = 10.0
CUT_NUMBER, PAUSE_NUMBER = "+15550100010", "+15550100011"
_TALKER: dict[str, object] = {
    "name": "Bench",
    "instructions": "Talk.",
    "tools": ["opening_hours"],
    "business": {"name": "Bench", "hours": {"monday": "9:00-18:00"}},
    "transcription_model": None,
    "turn_detection": {"silence_duration_ms": 200, "prefix_padding_ms": 100},
    "limits": {"max_duration_s": 3600, "silence_s": 3600},
}
PERSONAS = {
    "cut": {**_TALKER, "numbers": [CUT_NUMBER]},
    "pause": {
        **_TALKER,
        "numbers": [PAUSE_NUMBER],
        "barge_in": {"mode": "pause", "minimum_speech_ms": 400},
    },
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to run: calls for each setting, how long, and the crowd in which clears are timed."""

    calls: int
    seconds: int
    crowd: int
    seed: int


@dataclass(frozen=True, slots=True)
class _Call:
    """A call to be placed; ``number`` is its own in this run."""

    number: int
    setting: Setting
    called: str
    caller: CallerBehaviour
    lasts_s: float


@dataclass(frozen=True, slots=True)
class _Stage:
    """Where calls are placed: the bridge's address, and the model that hears them all."""

    url: str
    model: RealtimeServer
    progress: Progress

    async def place(self, calls: Sequence[_Call]) -> list[tuple[_Call, PhoneLog, SessionLog]]:
        """Place all calls at once and return each with what both ends have written."""
        async with asyncio.TaskGroup() as group:
            placed = [
                group.create_task(self._place(call, order)) for order, call in enumerate(calls)
            ]
        sessions = [session.log for session in self.model.sessions]
        played = []
        for call, task in zip(calls, placed, strict=True):
            session = session_of(call.number, sessions) or SessionLog()
            played.append((call, task.result(), session))
        return played

    async def _place(self, call: _Call, order: int) -> PhoneLog:
        await asyncio.sleep(order * STAGGER_S)
        carrier = SimulatedCarrier(
            self.url + VOICE_PATH,
            auth_token=AUTH_TOKEN,
            to_number=call.called,
            network_delay_ms=call.setting.delay_ms,
            jitter_ms=call.setting.jitter_ms,
            seed=call.number,
            on_event=self.progress.note,
        )
        return await carrier.place_call(call.caller, deadline_s=call.lasts_s + GRACE_S)
