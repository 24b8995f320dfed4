"""Runs the hearing bench: a model, a bridge in its own process, and the phones around it."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from voicebridge.cli.bench.served import (
    API_KEY,
    AUTH_TOKEN,
    beside,
    served,
    spare_core,
    write_config,
)
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
from voicebridge.rehearsal.notes import PhoneNote
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


class Progress:
    """Tells once a second how far a wave is: on one line at a terminal, now and then elsewhere."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._cuts = out, 0
        self._every_s = 1 if out.isatty() else 10

    def note(self, note: PhoneNote) -> None:
        """Count what a phone tells."""
        self._cuts += note.kind == "cut"

    @asynccontextmanager
    async def wave(self, name: str, calls: Sequence[_Call]) -> AsyncIterator[None]:
        """Tell of a wave of calls for as long as it lasts."""
        self._cuts = 0
        lasts_s = max(call.lasts_s + order * STAGGER_S for order, call in enumerate(calls))
        ticking = asyncio.create_task(self._tick(f"{name}: {len(calls)} calls", lasts_s))
        try:
            yield
        finally:
            ticking.cancel()
            await asyncio.wait([ticking])
            if self._out.isatty():
                self._out.write("\r\x1b[K")

    async def _tick(self, name: str, lasts_s: float) -> None:
        begin, end = ("\r\x1b[K", "") if self._out.isatty() else ("", "\n")
        passed_s = 0
        while True:
            self._out.write(f"{begin}{name}, {passed_s} of {lasts_s:.0f} s, {self._cuts} cuts{end}")
            self._out.flush()
            await asyncio.sleep(self._every_s)
            passed_s += self._every_s


async def measure(wanted: Wanted, progress: Progress) -> HearingReport:
    """Run the bench and judge it; raises ``ConfigError`` if the bridge does not start."""
    core = spare_core()
    report = HearingReport(seed=wanted.seed, crowd=wanted.crowd, pinned=core is not None)
    voice = NoiseVoice()
    with tempfile.TemporaryDirectory(prefix="voicebridge-bench-") as folder, beside(core):
        config = write_config(Path(folder), PERSONAS, max_calls=1000)
        async with RealtimeServer(long_talk(wanted.seed), voice, api_key=API_KEY) as model:
            async with served(config, model.url, core) as url:
                await _hear(_Stage(url, model, progress), wanted, report)
            if wanted.crowd:
                times = Path(folder) / "times.json"
                async with served(config, model.url, core, times) as url:
                    await _crowd(_Stage(url, model, progress), wanted, report)
                for passed_ms, worked_ms in json.loads(times.read_text("utf-8")):
                    report.clear_ms.append(passed_ms)
                    report.clear_work_ms.append(worked_ms)
        report.estimated = _estimated(Path(folder) / "records")
    return report


async def _hear(stage: _Stage, wanted: Wanted, report: HearingReport) -> None:
    """Play barge-ins and coughs in every setting, all at once."""
    calls: list[_Call] = []
    lasts_ms = wanted.seconds * 1000
    for setting in SETTINGS:
        for _ in range(wanted.calls):
            number = len(calls)
            caller = Interrupter(number, wanted.seed, lasts_ms)
            calls.append(_Call(number, setting, CUT_NUMBER, caller, wanted.seconds))
        number = len(calls)
        cougher = Cougher(number, wanted.seed, lasts_ms)
        calls.append(_Call(number, setting, PAUSE_NUMBER, cougher, wanted.seconds))
    async with stage.progress.wave("barge-ins and coughs", calls):
        played = await stage.place(calls)
    for call, phone, session in played:
        if call.called == CUT_NUMBER:
            report.cuts.setdefault(call.setting, Cuts()).add(cuts_of(phone, session))
        else:
            coughs = coughs_of(phone, session, COUGHING)
            report.coughs.setdefault(call.setting, Coughs()).add(coughs)


async def _crowd(stage: _Stage, wanted: Wanted, report: HearingReport) -> None:
    """Time the clear while many calls talk at once, all as near as can be."""
    first = len(stage.model.sessions)
    lasts_s = min(CROWD_S, wanted.seconds)
    callers = [
        Interrupter(first + order, wanted.seed, lasts_s * 1000) for order in range(wanted.crowd)
    ]
    near = Setting(0, 0)
    calls = [
        _Call(first + order, near, CUT_NUMBER, caller, lasts_s)
        for order, caller in enumerate(callers)
    ]
    async with stage.progress.wave("the clear in a crowd", calls):
        played = await stage.place(calls)
    for _, phone, session in played:
        report.crowd_cuts.add(cuts_of(phone, session))


def _estimated(records: Path) -> int:
    """Add up how often the bridge had to estimate a position."""
    files = records.glob("*/record.json")
    return sum(json.loads(file.read_text("utf-8"))["positions_estimated"] for file in files)


def run_hearing(wanted: Wanted, folder: Path, *, as_json: bool) -> int:
    """Run the bench, print the table and leave report and picture; 0 if every bar holds."""
    report = asyncio.run(measure(wanted, Progress(sys.stderr)))
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report.as_dict(), indent=2, ensure_ascii=False)
    (folder / "report.json").write_text(text + "\n", encoding="utf-8")
    (folder / "hearing.svg").write_text(hearing_svg(report), encoding="utf-8")
    if as_json:
        print(text)
    else:
        print(report.table())
        print(f"  {folder / 'report.json'}  every error, every delay")
        print(f"  {folder / 'hearing.svg'}  the errors as a picture")
    return 0 if report.ok else 1
