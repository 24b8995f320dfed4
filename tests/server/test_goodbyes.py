"""A hundred calls that the agent ends, over real sockets: no goodbye of them is cut."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from fault_calls import APART_S, NoiseVoice, after
from model_harness import tone
from serve_process import serving

from voicebridge.rehearsal.behaviour import ScriptedCaller
from voicebridge.rehearsal.carrier import SimulatedCarrier
from voicebridge.rehearsal.model_session import ModelSession
from voicebridge.rehearsal.phone_log import PhoneLog
from voicebridge.rehearsal.realtime_server import RealtimeServer
from voicebridge.rehearsal.script import Script
from voicebridge.rehearsal.steps import AgentStep, CallerStep
from voicebridge.rehearsal.voice import Speech

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("load")]

SEEDS, AT_ONCE = 100, 50
CALL_WITHIN_S = 20.0
SEAM_FRAMES = 6
CUT, PAUSE = "+15550100101", "+15550100102"
ENVIRONMENT = {"TWILIO_AUTH_TOKEN": "token", "OPENAI_API_KEY": "key"}


@dataclass(frozen=True)
class Run:
    """What chance has made of one call.

    ``before``: whether the goodbye comes before the tool is called, or is asked for after it.
    """

    seed: int
    words: int
    tool_ms: int
    before: bool
    barges_in: bool
    delay_ms: int
    jitter_ms: int
    called: str

    @classmethod
    def of(cls, seed: int) -> Run:
        chance = Random(seed)
        return cls(
            seed,
            words=chance.choice([1, 3, 8]),
            tool_ms=chance.choice([0, 30, 400, 1200]),
            before=chance.random() < 0.6,
            barges_in=chance.random() < 0.3,
            delay_ms=chance.choice([0, 20, 80, 150]),
            jitter_ms=chance.choice([0, 10, 40]),
            called=chance.choice([CUT, PAUSE]),
        )

    def goodbye(self, number: int) -> str:
        return " ".join([f"goodbye-{self.seed}-{number}"] * self.words)

    def script(self) -> Script:
        """Greet, and say goodbye as often as the caller speaks."""
        leave: dict[str, Any] = {"call": "leave_line", "arguments": {"after_ms": self.tool_ms}}
        steps = [AgentStep(say=f"hello-{self.seed}")]
        for number in range(3):
            said = AgentStep(say=self.goodbye(number), **(leave if self.before else {}))
            steps += [said] if self.before else [AgentStep(**leave), said]
        return Script(agent=tuple(steps))

    def caller(self) -> ScriptedCaller:
        steps = [(CallerStep(say="question", after_agent_ms=200), Speech("q", tone(300), ()))]
        if self.barges_in:
            barge_in = CallerStep(say="barge-in", into_agent_ms=100)
            steps.append((barge_in, Speech("b", tone(500), ())))
        return ScriptedCaller(steps)

    def judge(self, phone: PhoneLog, record: dict[str, Any]) -> list[str]:
        """Return what is wrong with the end of this call."""
        last = phone.marks[-1]
        spoken = [entry for entry in record["spoken"] if entry["speaker"] == "agent"]
        goodbyes = [NoiseVoice().speak(self.goodbye(number)).audio for number in range(3)]
        there_and_back_s = 2 * self.delay_ms / 1000
        echoed_at, ended_at = last.echoed_at or 0.0, phone.ended_at or 0.0
        wrong = {
            "not ended by the agent": (phone.ended_by, record["ended"])
            != ("bridge", "agent_hung_up"),
            "audio was cut off": phone.lost_at_close != [],
            "the last mark did not come back": not last.played,
            # The network takes this long whatever the machine does.
            "the hang-up did not wait for it": ended_at - echoed_at < there_and_back_s,
            "no goodbye was heard whole": not any(
                heard_whole(goodbye, phone) for goodbye in goodbyes
            ),
            "the last words were not": spoken[-1]["heard_ms"] != spoken[-1]["received_ms"],
            "problems": record["problems"] != [] or phone.errors != [],
        }
        return [words for words, is_so in wrong.items() if is_so]


def heard_whole(audio: bytes, phone: PhoneLog) -> bool:
    """Whether the caller heard this to its end; where it was paused, its seam may lose a moment."""
    heard = b"".join(
        phone.received_audio[span.received_offset : span.end_offset] for span in phone.played
    )
    frames = [audio[at : at + 160] for at in range(0, len(audio), 160)]
    unheard = sum(frame not in heard for frame in frames)
    return frames[-1] in heard and unheard <= SEAM_FRAMES * len(phone.clears)


class Seeded(list[ModelSession]):
    """Gives each session the script of the call that dialled it, by the greeting's number."""

    def append(self, session: ModelSession) -> None:
        super().append(session)
        session._state.script = Run.of(int(session._state.config.model)).script().begin()


def write_config(folder: Path, seeds: range) -> Path:
    """Write a persona for each call, whose model's name is the seed."""
    config = folder / "config"
    (config / "personas").mkdir(parents=True)
    for seed in seeds:
        run = Run.of(seed)
        persona = {
            "name": f"run {seed}",
            "model": str(seed),
            "instructions": "Be brief.",
            "greeting": {"instructions": "Greet."},
            "numbers": [number_of(seed)],
            "tools": ["fault_tools:leave_line"],
            "turn_detection": {"silence_duration_ms": 200},
            "barge_in": {"mode": "cut" if run.called == CUT else "pause"},
        }
        (config / "personas" / f"run{seed}.yaml").write_text(yaml.safe_dump(persona))
    settings = {
        "default_persona": f"run{seeds[0]}",
        "server": {"shutdown_grace_s": 0},
        "records": {"directory": str(config / "records")},
    }
    (config / "voicebridge.yaml").write_text(yaml.safe_dump(settings))
    return config


def number_of(seed: int) -> str:
    return f"+1555030{seed:04}"


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
async def test_no_goodbye_is_cut_over_sockets(tmp_path: Path, first: int) -> None:
    seeds = range(first, first + AT_ONCE)
    config = write_config(tmp_path, seeds)
    async with RealtimeServer(Script(), NoiseVoice()) as model:
        model.sessions = Seeded()
        environment = {
            **ENVIRONMENT,
            "VOICEBRIDGE_REALTIME_URL": model.url,
            "PYTHONPATH": str(Path(__file__).parent),
        }
        async with serving(config, environment=environment) as serve:

            async def place(seed: int) -> PhoneLog:
                run = Run.of(seed)
                await after((seed - first) * APART_S)
                return await SimulatedCarrier(
                    webhook_url=serve.url + "/twilio/voice",
                    auth_token="token",
                    from_number=f"+1555020{seed:04}",
                    to_number=number_of(seed),
                    network_delay_ms=run.delay_ms,
                    jitter_ms=run.jitter_ms,
                    seed=seed,
                ).place_call(run.caller(), deadline_s=CALL_WITHIN_S)

            async with asyncio.TaskGroup() as tasks:
                placed = {seed: tasks.create_task(place(seed)) for seed in seeds}
            serve.terminate()
            _, _, log = await serve.end()
            records = {record["call_id"]: record for record in serve.records()}
    phones = {seed: task.result() for seed, task in placed.items()}
    wrong = {
        seed: faults
        for seed, phone in phones.items()
        if (faults := Run.of(seed).judge(phone, records[phone.call_sid]))
    }
    assert wrong == {}
    told = [line for line in log.splitlines() if "hanging_up" in line]
    assert len(told) == AT_ONCE
    assert all("call_id=CA" in line for line in told)
    barged_in = [seed for seed in seeds if records[phones[seed].call_sid]["barge_ins_ms"]]
    assert len(barged_in) >= AT_ONCE // 10
