"""The manners of a call over real sockets: odd carriers, no storm of marks, coughs, notices."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "server"))
sys.path.insert(0, str(Path(__file__).parent.parent / "rehearsal"))
sys.path.insert(0, str(Path(__file__).parent.parent / "records"))

from model_harness import tone
from server_office import QUESTION, WITHIN_S, Line, Office, Shelf, WatchedModel
from wav_reader import read

from voicebridge.audio.format import silence
from voicebridge.cli.stage import Played, Rehearsal, play
from voicebridge.rehearsal.behaviour import COUGHING
from voicebridge.rehearsal.raw_stream import RawStream
from voicebridge.server.running import RunningBridge
from voicebridge.settings import Records

CONFIG = Path(__file__).parent.parent.parent / "config"
LONG = " ".join(["word"] * 30)
"""Six seconds of speech."""

PASSED_MS = 1300
LATE_FRAMES = 75


class NeverEchoes(Line):
    """A carrier that plays but never returns a mark."""

    async def _play_and_return(self, name: str) -> None:
        return


class EchoesAtOnce(Line):
    """A carrier that returns a mark as soon as it gets it, whatever is still to be played."""

    async def _play_and_return(self, name: str) -> None:
        await self.raw.send(self.raw.writer.mark(name))


class EchoesLate(Line):
    """A carrier that returns a mark a second and a half after it could have been reached."""

    def __init__(self, raw: RawStream, after_url: str) -> None:
        super().__init__(raw, after_url)
        self._due: list[tuple[int, str]] = []

    async def _play_and_return(self, name: str) -> None:
        reached = max(self.raw.writer.chunk, len(self.heard) // 160)
        self._due.append((reached + LATE_FRAMES, name))

    async def say(self, audio: bytes) -> None:
        for at in range(0, len(audio), 160):
            await super().say(audio[at : at + 160])
            while self._due and self._due[0][0] <= self.raw.writer.chunk:
                await self.raw.send(self.raw.writer.mark(self._due.pop(0)[1]))


class CountsMarks(Line):
    """A carrier in good order that counts the marks it is sent."""

    marks = 0

    async def _play_and_return(self, name: str) -> None:
        self.marks += 1
        await super()._play_and_return(name)


OpenOffice = Callable[..., Awaitable[Office]]


@pytest.fixture
async def open_office(
    start_bridge: Callable[..., Awaitable[RunningBridge]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[OpenOffice]:
    """Open an office whose model says these replies."""
    async with AsyncExitStack() as models:

        async def open_(*replies: str) -> Office:
            model = await models.enter_async_context(WatchedModel(*replies))
            shelf = Shelf(tmp_path)
            monkeypatch.setattr("voicebridge.server.switchboard.RecordStore", lambda _: shelf)
            bridge = await start_bridge(model.url, records=Records(directory=tmp_path))
            return Office(bridge, model, shelf)

        yield open_


async def interrupted(office: Office, carrier: type[Line]) -> tuple[Line, dict[str, Any]]:
    """Speak into the greeting after a while, be answered, hang up; the call's record."""
    told = asyncio.Event()
    office.model.on_event = lambda note: told.set() if note.kind == "cut" else None
    async with office.answered() as (raw, token, after_url), asyncio.TaskGroup() as tasks:
        line = carrier(raw, after_url)
        listener = tasks.create_task(line.listen())
        await raw.begin(token=token)
        await line.until_heard()
        await line._bell.until(lambda: len(line.heard) >= 6000 * 8)
        await line.say(silence(PASSED_MS * 8) + tone(400))
        async with asyncio.timeout(WITHIN_S):
            await told.wait()
        await line.say(silence(800 * 8))
        await line.is_answered()
        await line.hang_up()
        record = await office.ended(line)
        listener.cancel()
    return line, record


@pytest.mark.parametrize("carrier", [NeverEchoes, EchoesAtOnce, EchoesLate])
async def test_a_carrier_that_does_not_keep_to_its_marks_is_served_by_the_clock(
    open_office: OpenOffice, carrier: type[Line]
) -> None:
    office = await open_office(LONG, LONG)
    _, record = await interrupted(office, carrier)
    assert (record["ended"], record["problems"]) == ("caller_hung_up", [])
    assert record["positions_estimated"] > 0
    (cut, *_) = office.model.logs[0].truncates
    assert cut.accepted
    assert PASSED_MS <= cut.audio_end_ms <= PASSED_MS + 700
    assert record["barge_ins_ms"]


async def test_a_carrier_in_good_order_is_never_estimated_and_never_flooded_with_marks(
    open_office: OpenOffice,
) -> None:
    office = await open_office(LONG, LONG, LONG)
    async with office.answered() as (raw, token, after_url), asyncio.TaskGroup() as tasks:
        line = CountsMarks(raw, after_url)
        listener = tasks.create_task(line.listen())
        await raw.begin(token=token)
        for reply in (1, 2):
            await line._bell.until(lambda reply=reply: len(line.heard) >= reply * 6000 * 8)
            await line.say(QUESTION)
        await line._bell.until(lambda: len(line.heard) >= 3 * 6000 * 8)
        await line.hang_up()
        record = await office.ended(line)
        listener.cancel()
    # The line's clock runs faster than ours here, so a mark may be overdue while on its way.
    assert record["positions_estimated"] <= 2
    seconds = len(line.heard) / 8000
    assert seconds >= 18
    assert 2.5 * seconds <= line.marks <= 7 * seconds


# --- the rehearsals of the manners, in real time, both at once ------------------------------------


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Played]:
    out = tmp_path_factory.mktemp("manners")

    async def play_both() -> list[Played]:
        return await asyncio.gather(
            *(
                play(Rehearsal(config_dir=CONFIG, scenario=name, out=out, network_delay_ms=40))
                for name in ("cough", "protected-greeting")
            )
        )

    cough, greeting = asyncio.run(play_both())
    return {"cough": cough, "protected-greeting": greeting}


def record_of(call: Played) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((call.record_folder / "record.json").read_text("utf-8"))
    assert record["ended"] == "agent_hung_up"
    return record


@pytest.mark.slow
def test_a_cough_pauses_a_reply_that_words_cut_later(played: dict[str, Played]) -> None:
    call = played["cough"]
    assert [speech.text == COUGHING for speech in call.phone.caller_speech].count(True) == 1
    paused, cut = call.phone.clears
    assert paused.dropped_bytes
    assert cut.dropped_bytes
    record = record_of(call)
    assert len(record["barge_ins_ms"]) == 1, "the cough was none"
    callers = [spoken["text"] for spoken in record["spoken"] if spoken["speaker"] == "caller"]
    assert len(callers) == 3, "and it was no turn of the caller's"
    explained = next(item for item in call.report.heard if item.cut_by is not None)
    assert explained.cut_by is cut
    stopped_ms = (paused.played_received_offset - explained.pieces[0].received_offset) / 8
    went_on_ms = explained.pieces[1].item_offset / 8
    assert abs(went_on_ms - stopped_ms) <= 20
    assert [truncate.accepted for truncate in call.model.truncates] == [True]


@pytest.mark.slow
def test_a_notice_is_heard_to_its_end_and_the_caller_answered_after_it(
    played: dict[str, Played],
) -> None:
    call = played["protected-greeting"]
    assert call.phone.clears == []
    assert (call.model.truncates, call.model.deletes) == ([], [])
    notice, answer, *_ = call.report.heard
    spoken_over = call.phone.caller_speech[0]
    assert notice.first_played_ms is not None
    assert notice.last_played_ms is not None
    assert answer.first_played_ms is not None
    assert notice.first_played_ms < spoken_over.start_ms < notice.last_played_ms
    assert notice.heard_bytes == len(notice.item.audio)
    assert answer.first_played_ms >= notice.last_played_ms
    spoken = record_of(call)["spoken"]
    assert "are you open" in spoken[1]["text"]
    assert all(entry["unheard"] == "" for entry in spoken if entry["speaker"] == "agent")


@pytest.mark.slow
def test_a_line_that_says_it_is_recorded_is(played: dict[str, Played]) -> None:
    call = played["protected-greeting"]
    wav = read(call.record_folder / record_of(call)["recording"])
    assert wav.left == call.phone.sent_audio[: len(wav.left)]
    assert wav.right == call.phone.heard_audio[: len(wav.right)]
    assert len(wav.left) >= len(call.phone.sent_audio) - 8000
