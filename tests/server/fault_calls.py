"""Calls through ``voicebridge serve`` as a process of its own, in which tools may go wrong.

The telephones and the model around it are in this process. Every frame of every caller is like no
other, so none can be lost, altered or change places unseen.
"""

from __future__ import annotations

import asyncio
import json
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import yaml
from model_harness import WORD_MS, tone
from serve_process import serving

from voicebridge.rehearsal.behaviour import Act, ScriptedCaller
from voicebridge.rehearsal.carrier import SimulatedCarrier
from voicebridge.rehearsal.ear import Ear
from voicebridge.rehearsal.model_session import ModelSession
from voicebridge.rehearsal.phone_log import PhoneLog
from voicebridge.rehearsal.realtime_server import RealtimeServer
from voicebridge.rehearsal.report import make_report
from voicebridge.rehearsal.script import Script
from voicebridge.rehearsal.session_log import SessionLog
from voicebridge.rehearsal.steps import AgentStep, CallerStep
from voicebridge.rehearsal.voice import Speech, Word

CALL_WITHIN_S = 60.0
APART_S, LOOK_EVERY_S = 0.02, 0.01
EXACT = (
    "frames lost model to caller",
    "frames lost caller to model",
    "frames altered caller to model",
    "protocol violations",
    "errors",
)
QUIET_CODES = bytes([0xFF, 0xFE, 0xFD, 0x7F, 0x7E, 0x7D])
"""mu-law that nobody hears: a quiet line's noise."""


@dataclass(frozen=True)
class Row:
    """One fault: what the model calls, how often, and what it has to be told then."""

    tool: str
    told: str
    ok: bool = False
    filler: bool = False
    last_s: float = 2.0
    calls: int = 1
    noted: int = 1
    offered: str | None = None
    mangle: Callable[[dict[str, Any]], list[dict[str, Any]]] = field(default=lambda event: [event])


NEIGHBOUR = "neighbour"


class NoiseVoice:
    """A voice whose every frame is like no other."""

    def speak(self, text: str) -> Speech:
        words = tuple(
            Word(word, index * WORD_MS, (index + 1) * WORD_MS)
            for index, word in enumerate(text.split())
        )
        return Speech(text, Random(text).randbytes(len(words) * WORD_MS * 8), words)


class ManyScripts(RealtimeServer):
    """A model that follows the script of whoever dials it, and stamps what arrives."""

    def __init__(self, rows: dict[str, Row]) -> None:
        super().__init__(Script(), NoiseVoice())
        self.sessions: Sessions = Sessions(rows)


class Sessions(list[ModelSession]):
    """Sets each session up by the model's name, which is the row's, as soon as it is there."""

    def __init__(self, rows: dict[str, Row]) -> None:
        super().__init__()
        self._rows = rows
        self.arrived: dict[str, list[tuple[float, int]]] = {}

    def of(self, name: str) -> list[SessionLog]:
        return [each.log for each in self if each._state.config.model == name]

    def append(self, session: ModelSession) -> None:
        super().append(session)
        state = session._state
        row = self._rows.get(state.config.model)
        state.script = script_of(row).begin()
        arrived = self.arrived[state.session_id] = []
        receive, emit = session.receive, state.outbox.emit

        def receive_stamped(text: str | bytes) -> None:
            receive(text)
            arrived.append((time.monotonic(), len(state.log.appended)))

        def emit_mangled(event: dict[str, Any], *more: Any) -> None:
            item = event.get("item", {})
            called = event["type"] == "response.output_item.done" and "call_id" in item
            for each in row.mangle(event) if row and called else [event]:
                emit(each, *more)

        session.receive = receive_stamped  # type: ignore[method-assign]
        state.outbox.emit = emit_mangled  # type: ignore[method-assign]


def script_of(row: Row | None) -> Script:
    words = AgentStep(say=" ".join(["words"] * 20))
    if row is None:
        return Script(agent=(words,) * 4)
    greeting, asked = AgentStep(say="Good day."), AgentStep(say="Let me see.", call=row.tool)
    again = (AgentStep(call=row.tool),) * (row.calls - 1)
    return Script(agent=(greeting, asked, *again, AgentStep(say="So that is it.")))


class Caller(ScriptedCaller):
    """Asks once and hangs up later; between that a noise nobody hears, each frame its own."""

    def __init__(self, number: int, last_s: float) -> None:
        question = Speech("question", self.noise(number, 1) + tone(600), ())
        hang_up = CallerStep(hang_up=True, after_ms=round(last_s * 1000))
        super().__init__(
            [(CallerStep(say="question", after_agent_ms=400), question), (hang_up, None)]
        )
        self.number, self._serial = number, count(2)
        self.sent_at: list[float] = []

    @staticmethod
    @cache
    def _alphabet() -> bytes:
        return bytes(QUIET_CODES[value % len(QUIET_CODES)] for value in range(256))

    @classmethod
    def noise(cls, number: int, serial: int) -> bytes:
        """One frame, which no other caller has and which comes once."""
        return Random(number * 100_003 + serial).randbytes(160).translate(cls._alphabet())

    def act(self, ear: Ear, now_ms: int) -> Act:
        act = super().act(ear, now_ms)
        self.sent_at.append(time.monotonic())
        if act.begins is not None or act.audio.count(0xFF) < 160:
            return act
        frame = self.noise(self.number, next(self._serial))
        return Act(frame, b64encode(frame).decode(), act.digit, act.hang_up)


@dataclass
class Played:
    """A call that was played: the telephone's truth, the model's, and the bridge's record."""

    caller: Caller
    phone: PhoneLog
    session: SessionLog
    record: dict[str, Any]
    lateness_ms: list[float]

    def nothing_is_lost(self) -> None:
        assert (self.record["ended"], self.record["problems"]) == ("caller_hung_up", [])
        assert self.record["frames_received"] == self.phone.frames_sent
        report = make_report(self.phone, self.session)
        filled_ms = self.record["silence_filled_ms"]
        names = EXACT if not filled_ms else EXACT[:1] + EXACT[3:]
        assert {name: report.figure(name).value for name in names} == dict.fromkeys(names, 0)
        frames = self.arrived_frames()
        sent = [
            bytes(self.phone.sent_audio[at : at + 160]) for at in range(0, 160 * len(frames), 160)
        ]
        assert frames == sent, "a frame is missing, altered or out of its place"

    def arrived_frames(self) -> list[bytes]:
        """The caller's frames at the model, without silence put in for a late carrier."""
        audio = bytes(self.session.appended)
        frames = [audio[at : at + 160] for at in range(0, len(audio), 160)]
        return [frame for frame in frames if frame != b"\xff" * 160]


def write_config(folder: Path, rows: dict[str, Row]) -> tuple[Path, dict[str, str]]:
    """Write a persona for each row; return the folder and the number that each answers."""
    config = folder / "config"
    (config / "personas").mkdir(parents=True)
    numbers = {name: f"+1555010{index:04}" for index, name in enumerate((NEIGHBOUR, *rows), 100)}
    for name, number in numbers.items():
        row = rows.get(name)
        persona = {
            "name": name,
            "model": name,
            "instructions": "Be brief.",
            "greeting": {"instructions": "Greet."},
            "numbers": [number],
            "tools": [f"fault_tools:{row.offered or row.tool}"] if row else [],
        }
        file = config / "personas" / f"p{number.removeprefix('+')}.yaml"
        file.write_text(yaml.safe_dump(persona))
    settings = {
        "default_persona": f"p{numbers[NEIGHBOUR].removeprefix('+')}",
        "server": {"shutdown_grace_s": 0},
        "records": {"directory": str(config / "records")},
        "log": {"format": "json"},
    }
    (config / "voicebridge.yaml").write_text(yaml.safe_dump(settings))
    return config, numbers


async def after(seconds: float) -> None:
    """Keep the ticks of many telephones from all falling on one moment."""
    begin = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, begin.set)
    await begin.wait()


class Evening:
    """All that was played on one bridge."""

    def __init__(self) -> None:
        self.calls: dict[str, list[Played]] = {}
        self.log: list[dict[str, Any]] = []
        self.code: int | None = None
        self.own_lag_ms = 0.0
        """How late this process itself was at the most: its telephones, and its model."""

    def watch_own_lag(self, due: float = 0.0) -> None:
        """Look every 10 ms how late this process is, until the evening is over."""
        if due:
            self.own_lag_ms = max(self.own_lag_ms, (time.monotonic() - due) * 1000)
        if self.code is None:
            due = time.monotonic() + LOOK_EVERY_S
            asyncio.get_running_loop().call_later(LOOK_EVERY_S, self.watch_own_lag, due)

    def logged(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        return [
            line for line in self.log if line["event"] == event and fields.items() <= line.items()
        ]

    def latest_ms(self, *names: str) -> float:
        """How late the latest frame of these calls reached the model."""
        calls = [call for name in names for call in self.calls[name]]
        return max(max(call.lateness_ms) for call in calls)


async def play(folder: Path, rows: dict[str, Row], neighbours: int) -> Evening:
    """Play one call for each row and ``neighbours`` beside them, all at once."""
    config, numbers = write_config(folder, rows)
    longest_s = max([row.last_s for row in rows.values()], default=2.0)
    wanted = [
        *((name, row.last_s) for name, row in rows.items()),
        *((NEIGHBOUR, longest_s) for _ in range(neighbours)),
    ]
    callers = [(name, Caller(number, last_s)) for number, (name, last_s) in enumerate(wanted)]
    evening = Evening()
    async with ManyScripts(rows) as model:
        environment = {
            "TWILIO_AUTH_TOKEN": "token",
            "OPENAI_API_KEY": "key",
            "VOICEBRIDGE_REALTIME_URL": model.url,
            "PYTHONPATH": str(Path(__file__).parent),
        }
        async with serving(config, environment=environment) as serve:

            async def place(number: int, name: str, caller: Caller) -> PhoneLog:
                await after(number * APART_S)
                return await SimulatedCarrier(
                    webhook_url=serve.url + "/twilio/voice",
                    auth_token="token",
                    from_number=f"+1555020{number:04}",
                    to_number=numbers[name],
                ).place_call(caller, deadline_s=CALL_WITHIN_S)

            evening.watch_own_lag()
            async with asyncio.TaskGroup() as tasks:
                phones = [
                    tasks.create_task(place(number, name, caller))
                    for number, (name, caller) in enumerate(callers)
                ]
            serve.terminate()
            evening.code, _, log = await serve.end()
        evening.log = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        records = {record["call_id"]: record for record in serve.records()}
        for (name, caller), phone in zip(callers, phones, strict=True):
            session = next(
                s for s in model.sessions if caller.noise(caller.number, 1) in s.log.appended
            )
            record = records[phone.result().call_sid]
            arrived = model.sessions.arrived[session._state.session_id]
            late = lateness_ms(caller, session.log, arrived)
            played = Played(caller, phone.result(), session.log, record, late)
            evening.calls.setdefault(name, []).append(played)
    return evening


def lateness_ms(
    caller: Caller, session: SessionLog, arrived: list[tuple[float, int]]
) -> list[float]:
    """How long each frame took from the telephone to the model; in ms.

    Frames are told by their place, less the silence that was put in for a late carrier.
    """
    late: list[float] = []
    frame, silent = 0, b"\xff" * 160
    for at, nbytes in arrived:
        while 160 * (len(late) + frame + 1) <= nbytes:
            start = 160 * (len(late) + frame)
            if session.appended[start : start + 160] == silent:
                frame += 1
            elif len(late) < len(caller.sent_at):
                late.append((at - caller.sent_at[len(late)]) * 1000)
            else:
                return late
    return late
