"""A call's recording over sockets: sample for sample what the telephone sent and what it heard."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from model_harness import WORD_MS, ToneVoice, says, tone
from serve_process import serving, write_config
from server_office import AUTH_TOKEN, QUESTION, Line, Office

from voicebridge.audio.format import silence
from voicebridge.call import commands as do
from voicebridge.personas.persona import BargeIn, Keep, Persona
from voicebridge.records.wav import StereoFile
from voicebridge.rehearsal.behaviour import ScriptedCaller
from voicebridge.rehearsal.carrier import SimulatedCarrier
from voicebridge.rehearsal.phone_log import PhoneLog
from voicebridge.rehearsal.raw_stream import RawStream
from voicebridge.rehearsal.realtime_server import RealtimeServer
from voicebridge.rehearsal.script import Script
from voicebridge.rehearsal.steps import AgentStep, CallerStep
from voicebridge.rehearsal.voice import Speech, Word

sys.path.insert(0, str(Path(__file__).parent.parent / "records"))

from wav_reader import Wav, read

OpenOffice = Callable[..., Awaitable[Office]]
SECOND = 8000
ASKED = AgentStep(say="Type it.", call="collect_digits", arguments={"name": "card", "most": 16})


class NoiseVoice(ToneVoice):
    """A voice whose every frame is like no other."""

    def speak(self, text: str) -> Speech:
        words = tuple(
            Word(word, index * WORD_MS, (index + 1) * WORD_MS)
            for index, word in enumerate(text.split())
        )
        return Speech(text, Random(text).randbytes(len(words) * WORD_MS * 8), words)


@pytest.fixture
def persona(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Persona]:
    """Alter the persona that answers."""

    def alter(office: Office, **changes: Any) -> Persona:
        book = office.bridge.switchboard.personas
        altered = book["front-desk"].model_copy(update={"keep": Keep(recording=True), **changes})
        monkeypatch.setitem(book._personas, "front-desk", altered)
        return altered

    return alter


def frames_of(seed: int, count: int) -> bytes:
    """Loud frames that are all different."""
    return Random(seed).randbytes(160 * count).replace(b"\xff", b"\xfe")


@asynccontextmanager
async def until_muted(office: Office, line: Line) -> AsyncIterator[None]:
    """Wait, at the end of the context, until the model hears the caller no more."""
    runner = office.bridge.switchboard.calls.live(line.call_id)
    assert runner is not None
    valve, muted = runner.hands._turn_valve, asyncio.Event()

    def turn(command: do.MuteCaller) -> None:
        valve(command)
        muted.set()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner.hands, "_turn_valve", turn)
        yield
        async with asyncio.timeout(5):
            await muted.wait()


async def recorded(office: Office, call_id: str) -> tuple[dict[str, Any], Wav]:
    """Wait for a call's record, and read the file that it names."""
    record = await office.shelf.record_of(call_id)
    folder = await office.shelf.folder_of(call_id, record["recording"])
    return record, await asyncio.to_thread(read, folder / record["recording"])


# --- both sides -----------------------------------------------------------------------------------


def caller() -> ScriptedCaller:
    """Listen to the greeting, ask, break into the answer, hear what comes of it, hang up."""
    question = Speech("question", tone(500), ())
    barge_in = Speech("barge-in", tone(500, hz=300), ())
    return ScriptedCaller(
        [
            (CallerStep(say="question", after_agent_ms=200), question),
            (CallerStep(say="barge-in", into_agent_ms=500), barge_in),
            (CallerStep(hang_up=True, after_ms=1500), None),
        ]
    )


async def place(office: Office, network_delay_ms: int = 0) -> PhoneLog:
    carrier = SimulatedCarrier(
        webhook_url=office.bridge.url + "/twilio/voice",
        auth_token=AUTH_TOKEN,
        network_delay_ms=network_delay_ms,
    )
    return await carrier.place_call(caller(), deadline_s=20)


async def test_it_is_sample_for_sample_what_the_telephone_sent_and_heard(
    open_office: OpenOffice, persona: Callable[..., Any]
) -> None:
    replies = "Good day.", " ".join(["answer"] * 15), "Good bye."
    cutting, pausing = await open_office(*replies, pace=8.0), await open_office(*replies, pace=8.0)
    persona(cutting)
    persona(pausing, barge_in=BargeIn(mode="pause", minimum_speech_ms=100))
    for office in (cutting, pausing):
        office.model.voice = NoiseVoice()
    calls = [(cutting, 0), (cutting, 60), (pausing, 30)]
    phones = await asyncio.gather(*(place(office, delay_ms) for office, delay_ms in calls))
    for (office, _), phone in zip(calls, phones, strict=True):
        assert phone.clears[0].dropped_bytes, "the answer was stopped"
        assert phone.played[-1].carrier_ms > phone.clears[0].carrier_ms, "and more was heard"
        record, wav = await recorded(office, phone.call_sid)
        assert (record["ended"], record["problems"]) == ("caller_hung_up", [])
        assert len(wav.left) == len(wav.right) == SECOND // 50 * record["frames_received"]
        assert wav.left == phone.sent_audio
        assert wav.right == phone.heard_audio


async def test_nothing_is_recorded_unless_the_persona_says_so(
    open_office: OpenOffice, tmp_path: Path
) -> None:
    office = await open_office()
    async with office.call() as line:
        runner = office.bridge.switchboard.calls.live(line.call_id)
        assert runner is not None
        assert runner.hands.ear() == runner._corridor.hear, (
            "a frame takes no step more than it must"
        )
        await line.hang_up()
        record = await office.ended(line)
    assert record["recording"] is None
    folder = await office.shelf.folder_of(line.call_id, "record.json")
    assert "recording.wav" not in os.listdir(folder)


# --- where nobody may listen ----------------------------------------------------------------------


def with_silence(audio: bytes, *spans: tuple[int, int]) -> bytes:
    """Put silence into audio, from and to these milliseconds."""
    silent = bytearray(audio)
    for start_ms, stop_ms in spans:
        silent[8 * start_ms : 8 * stop_ms] = silence(8 * (stop_ms - start_ms))
    return bytes(silent)


async def test_no_tone_of_a_key_is_in_it_and_nothing_that_the_model_may_not_hear(
    open_office: OpenOffice, persona: Callable[..., Any]
) -> None:
    office = await open_office()
    office.model.script = Script(agent=(AgentStep(say="Good day."), ASKED, AgentStep(say="Well.")))
    persona(office, tools=("collect_digits",))
    async with office.call() as line:
        writer = line.raw.writer
        await line.say(frames_of(1, 150))
        await line.raw.send(writer.dtmf("7"))
        key_ms = 20 * writer.chunk
        async with until_muted(office, line):
            await line.say(frames_of(2, 150) + QUESTION)
        muted_ms = 20 * writer.chunk
        for digit in "4242":
            await line.raw.send(writer.dtmf(digit))
            await line.say(frames_of(int(digit), 50))
        await line.raw.send(writer.dtmf("#"))
        last_ms = 20 * writer.chunk
        await line.say(frames_of(5, 300))
        await line.hang_up()
        _, wav = await recorded(office, line.call_id)
    spans = (key_ms - 1000, key_ms + 500), (muted_ms, last_ms + 500)
    assert wav.left == with_silence(bytes(line.sent), *spans)


# --- what goes wrong ------------------------------------------------------------------------------


async def test_a_call_whose_recording_has_no_room_goes_on_and_says_so_in_its_record(
    open_office: OpenOffice, persona: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    office = await open_office()
    persona(office)
    whole = StereoFile.append

    def append(self: StereoFile, samples: bytes) -> None:
        if self._data_bytes:
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(self, samples)

    monkeypatch.setattr(StereoFile, "append", append)
    async with office.call() as line:
        await line.say(frames_of(1, 1000))
        await line.is_answered()
        await line.hang_up()
        record, wav = await recorded(office, line.call_id)
    assert record["ended"] == "caller_hung_up"
    assert [problem["what"] for problem in record["problems"]] == [
        "the recording is not complete: No space left on device"
    ]
    assert len(wav.left) >= SECOND
    assert wav.left == line.sent[: len(wav.left)]


async def test_a_bridge_that_is_killed_leaves_a_recording_that_can_be_played(
    tmp_path: Path,
) -> None:
    config = write_config(tmp_path)
    front_desk = config / "personas" / "front-desk.yaml"
    text = front_desk.read_text()
    front_desk.write_text(text.replace("recording: false", "recording: true"))
    async with RealtimeServer(says("Good day."), NoiseVoice()) as model:
        environment = {"OPENAI_API_KEY": "key", "VOICEBRIDGE_REALTIME_URL": model.url}
        async with (
            serving(config, "--insecure", environment=environment) as serve,
            RawStream("ws" + serve.url.removeprefix("http") + "/twilio/media") as raw,
        ):
            await raw.begin()
            line = Line(raw, "")
            await line.say(frames_of(1, 1000))
            file = config / "records" / raw.writer.call_sid / "recording.wav"
            async with asyncio.timeout(10):
                while not await asyncio.to_thread(holds, file, 10 * SECOND):
                    await raw.send_silence(10)
            os.kill(serve.pid, signal.SIGKILL)
            await serve.end()
    wav = read(file)
    assert len(wav.left) >= 10 * SECOND
    assert wav.left.startswith(bytes(line.sent[: 10 * SECOND]))


def holds(file: Path, samples: int) -> bool:
    """Tell whether a file holds so many samples of each side."""
    return file.exists() and len(read(file).left) >= samples
