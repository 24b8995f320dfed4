"""Calls that were promised: when they may be, that they are kept, and that each is placed once."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from voicebridge.errors import ToolFailed
from voicebridge.outbound.callback_book import (
    GRACE,
    Callback,
    CallbackBook,
    TooManyCallbacks,
)
from voicebridge.outbound.callback_dialler import CallbackDialler
from voicebridge.outbound.callback_times import is_open, when
from voicebridge.outbound.carrier_actions import NewCall, RestError
from voicebridge.outbound.dialler import Dialler, Urls
from voicebridge.outbound.opt_out import OptOutList
from voicebridge.outbound.schedule_callback import schedule_callback_tool
from voicebridge.personas.business import Business, Hours
from voicebridge.settings import Outbound
from voicebridge.tools.context import CallContext

NEW_YORK, BERLIN = "+12125550123", "+493012345678"
NOON = datetime(2026, 7, 1, 16, 0, tzinfo=UTC)  # a Wednesday, 12:00 in New York
URLS = Urls(voice="https://b.example/v", status="https://b.example/s", machine="https://b/m")
PRACTICE = Business(
    name="Harbour Dental",
    time_zone="America/New_York",
    hours=Hours(
        monday="9:00-18:00",
        wednesday="9:00-18:00",
        thursday="9:00-20:00",
        friday="18:00-2:00",
        sunday="0:00-24:00",
    ),
)


def promise(at: datetime = NOON, number: str = NEW_YORK) -> Callback:
    return Callback(number=number, at=at, persona="desk", about="the crown", promised_in="CA1")


# --- when ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "at", "utc"),
    [
        ("today", "14:30", "2026-07-01 18:30"),
        ("Tomorrow", "9:00", "2026-07-02 13:00"),
        ("2026-07-02", "19:59", "2026-07-02 23:59"),
        ("thursday", "10:00", "2026-07-02 14:00"),
        ("wednesday", "12:30", "2026-07-01 16:30"),  # later today
        ("wednesday", "11:30", "2026-07-08 15:30"),  # today it is over
        ("friday", "23:00", "2026-07-04 03:00"),
        ("saturday", "1:30", "2026-07-04 05:30"),  # Friday's evening lasts until two
        ("sunday", "0:00", "2026-07-05 04:00"),
        (" monday ", "17:59", "2026-07-06 21:59"),
    ],
)
def test_a_day_and_a_time_are_those_of_the_business(day: str, at: str, utc: str) -> None:
    assert f"{when(day, at, PRACTICE, NOON):%Y-%m-%d %H:%M}" == utc


@pytest.mark.parametrize(
    ("day", "at", "why"),
    [
        ("today", "11:59", "5 minutes ahead"),
        ("today", "12:04", "5 minutes ahead"),
        ("2026-06-30", "10:00", "5 minutes ahead"),
        ("2026-08-03", "10:00", "within 30 days"),
        ("today", "18:00", "on wednesday we are open 9:00 to 18:00"),
        ("thursday", "8:59", "on thursday we are open"),
        ("tuesday", "10:00", "tuesday is closed"),
        ("saturday", "2:00", "saturday is closed"),
        ("someday", "10:00", "no day and time"),
        ("tomorrow", "25:00", "no day and time"),
        ("tomorrow", "10:60", "no day and time"),
        ("tomorrow", "10", "no day and time"),
        ("tomorrow", "", "no day and time"),
        ("", "10:00", "no day and time"),
        ("2026-02-30", "10:00", "no day and time"),
        ("2026-7-2", "10:00", "no day and time"),
        ("\u0662\u0660\u0662\u0666-07-02", "10:00", "no day and time"),
        ("tomorrow", "1\u0660:00", "no day and time"),
        ("tomorrow", "10:00; DROP", "no day and time"),
    ],
)
def test_a_time_that_cannot_be_says_why_and_what_time_it_is(day: str, at: str, why: str) -> None:
    with pytest.raises(ToolFailed) as caught:
        when(day, at, PRACTICE, NOON)
    assert why in str(caught.value)
    assert str(caught.value).endswith("Here it is wednesday, 2026-07-01 12:00.")


def test_an_hour_that_the_clocks_leave_out_is_no_time() -> None:
    before = datetime(2026, 3, 7, 12, tzinfo=UTC)
    with pytest.raises(ToolFailed, match="clocks are changed"):
        when("2026-03-08", "2:30", PRACTICE, before)
    twice = when("2026-11-01", "1:30", PRACTICE, datetime(2026, 10, 31, tzinfo=UTC))
    assert f"{twice:%H:%M}" == "05:30"  # the first of the two


@pytest.mark.parametrize(
    ("hour", "open_"), [(0, True), (1, True), (2, False), (17, False), (18, True), (23, True)]
)
def test_an_evening_that_lasts_past_midnight_is_open(hour: int, open_: bool) -> None:
    late = Business(name="Bar", hours=Hours(friday="18:00-2:00", saturday="18:00-2:00"))
    assert is_open(late, datetime(2026, 7, 4, hour, 30)) is open_


# --- the book -----------------------------------------------------------------------------------


def book_in(folder: Path, per_number: int = 2) -> CallbackBook:
    return CallbackBook(folder / "notes" / "callbacks.jsonl", per_number)


def test_a_promise_outlives_a_restart_and_is_claimed_once(tmp_path: Path) -> None:
    book_in(tmp_path).add(promise())
    again = book_in(tmp_path)
    assert again.waiting() == [promise()]
    assert again.claim(NOON - timedelta(seconds=1)) is None
    assert again.claim(NOON) == promise()
    assert again.claim(NOON) is None
    assert book_in(tmp_path).claim(NOON) is None
    assert book_in(tmp_path).doubtful() == (1, 0)
    book_in(tmp_path).settle(promise(), "placed", call_id="CA2")
    assert book_in(tmp_path).doubtful() == (0, 0)
    assert book_in(tmp_path).waiting() == []


def test_the_same_promise_is_one_promise_and_a_number_has_so_many(tmp_path: Path) -> None:
    book = book_in(tmp_path)
    later = promise(NOON + timedelta(hours=1))
    book.add(promise())
    book.add(promise())
    book.add(later)
    with pytest.raises(TooManyCallbacks):
        book.add(promise(NOON + timedelta(hours=2)))
    book.add(promise(number=BERLIN))
    assert len(book.waiting()) == 3
    assert book.claim(NOON) is not None
    book.add(promise(NOON + timedelta(hours=2)))


def test_all_numbers_together_have_so_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voicebridge.outbound.callback_book.MOST_OPEN", 2)
    book = book_in(tmp_path)
    for number in (NEW_YORK, BERLIN):
        book.add(promise(number=number))
    with pytest.raises(TooManyCallbacks):
        book.add(promise(number="+442079460958"))


def test_who_is_long_overdue_is_not_called_any_more(tmp_path: Path) -> None:
    book = book_in(tmp_path)
    book.add(promise())
    late = promise(NOON + timedelta(minutes=1))
    book.add(late)
    assert book.claim(NOON + GRACE + timedelta(seconds=30)) == late
    assert book.waiting() == []
    assert book.doubtful() == (1, 0)


def test_what_was_not_dialled_waits_again(tmp_path: Path) -> None:
    book = book_in(tmp_path)
    book.add(promise())
    assert book.claim(NOON) == promise()
    book.settle(promise(), "waiting", rule="rate")
    assert book.claim(NOON) == promise()


def test_a_line_that_was_torn_or_written_by_hand_spoils_no_other(tmp_path: Path) -> None:
    book = book_in(tmp_path)
    book.add(promise())
    file = tmp_path / "notes" / "callbacks.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"id": "x", "number": 7}\n[1]\nnonsense\n\xff\xfe\n' + whole[:30])
    book.add(promise(number=BERLIN))
    assert {one.number for one in book_in(tmp_path).waiting()} == {NEW_YORK, BERLIN}
    assert book.doubtful() == (0, 5)


def test_what_is_over_does_not_fill_the_file_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicebridge.outbound.callback_book.MOST_LINES", 30)
    book = book_in(tmp_path, 9)
    kept = promise(NOON + timedelta(days=1), BERLIN)
    unknown = promise(NOON, "+442079460958")
    book.add(kept)
    book.add(unknown)
    assert book.claim(NOON) == unknown
    for minute in range(100):
        at = NOON + timedelta(minutes=minute)
        book.add(promise(at))
        assert book.claim(at) == promise(at)
        book.settle(promise(at), "placed", call_id="CA1")
        assert book.waiting() == [kept]
        assert book.doubtful() == (1, 0)
    assert len((tmp_path / "notes" / "callbacks.jsonl").read_bytes().splitlines()) < 40


CLAIM_ALL = """
import sys
from datetime import datetime
from pathlib import Path
from voicebridge.outbound.callback_book import CallbackBook

book, now = CallbackBook(Path(sys.argv[1]), 99), datetime.fromisoformat(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
while (claimed := book.claim(now)) is not None:
    print(claimed.number)
"""


def test_processes_that_share_the_book_claim_each_promise_once(tmp_path: Path) -> None:
    file, numbers = tmp_path / "callbacks.jsonl", [f"+1212555{n:04d}" for n in range(40)]
    for number in numbers:
        CallbackBook(file, 99).add(promise(number=number))
    told = [sys.executable, "-c", CLAIM_ALL, str(file), NOON.isoformat()]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    workers = [subprocess.Popen(told, **pipes) for _ in range(2)]  # type: ignore[call-overload]
    for worker in workers:
        assert worker.stdout.readline() == "ready\n"
    claimed: list[str] = []
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        claimed += worker.communicate(timeout=20)[0].split()
    assert sorted(claimed) == numbers


# --- the tool -----------------------------------------------------------------------------------


def settings(folder: Path, **changes: object) -> Outbound:
    told = {
        "enabled": True,
        "caller_id": "+12125550199",
        "opt_out_file": folder / "opt-out.txt",
        "callbacks_file": folder / "callbacks.jsonl",
    } | changes
    return Outbound.model_validate(told)


CALL = CallContext("CA1", NEW_YORK, "+12125550199", "desk", lambda _: None, business=PRACTICE)


async def schedule(wanted: Outbound, call: CallContext = CALL, **arguments: str) -> dict[str, str]:
    told = {"day": "tomorrow", "time": "10:00", "about": "the\u200b crown ", **arguments}
    tool = schedule_callback_tool(wanted, lambda: NOON)
    answer: dict[str, str] = json.loads(await tool.invoke(json.dumps(told), call))
    return answer


async def test_a_callback_is_promised_on_the_clock_of_the_business(tmp_path: Path) -> None:
    wanted = settings(tmp_path)
    told = await schedule(wanted)
    assert told == {"calls_back": "2026-07-02 10:00", "time_zone": "America/New_York"}
    assert await schedule(wanted) == told
    (kept,) = CallbackBook(tmp_path / "callbacks.jsonl", 2).waiting()
    assert kept == promise(datetime(2026, 7, 2, 14, 0, tzinfo=UTC))


async def test_a_promise_is_asked_to_be_confirmed(tmp_path: Path) -> None:
    assert schedule_callback_tool(settings(tmp_path)).options.confirm


@pytest.mark.parametrize(
    ("call", "arguments", "changes", "why"),
    [
        (CALL, {"day": "today", "time": "18:30"}, {}, "we are closed then"),
        (CALL, {"time": "19:45"}, {"until_hour": 19}, "calls are placed from 9:00 to 19:00"),
        (replace(CALL, caller=BERLIN), {"time": "16:00"}, {}, "it is 22:00 in Europe/Berlin"),
        (replace(CALL, caller="anonymous"), {}, {}, "withholds the number"),
        (CALL, {"number": BERLIN}, {}, "only the number that the caller calls from"),
        (replace(CALL, business=None), {}, {}, "offer to take a message"),
        (CALL, {}, {"callbacks_file": None}, "offer to take a message"),
        (CALL, {}, {"enabled": False}, "offer to take a message"),
    ],
)
async def test_what_cannot_be_promised_is_told_in_plain_words(
    tmp_path: Path,
    call: CallContext,
    arguments: dict[str, str],
    changes: dict[str, object],
    why: str,
) -> None:
    with pytest.raises(ToolFailed, match=why):
        await schedule(settings(tmp_path, **changes), call, **arguments)
    assert CallbackBook(tmp_path / "callbacks.jsonl", 2).waiting() == []


async def test_another_number_is_called_if_the_list_allows_it(tmp_path: Path) -> None:
    await schedule(settings(tmp_path), replace(CALL, allowed_numbers=("DE",)), number=BERLIN)
    (kept,) = CallbackBook(tmp_path / "callbacks.jsonl", 2).waiting()
    assert kept.number == BERLIN


async def test_nobody_is_promised_a_call_who_asked_for_none(tmp_path: Path) -> None:
    OptOutList(tmp_path / "opt-out.txt").add(NEW_YORK)
    with pytest.raises(ToolFailed, match="asked not to be called"):
        await schedule(settings(tmp_path))


async def test_a_number_is_promised_so_many_calls(tmp_path: Path) -> None:
    wanted = settings(tmp_path, callbacks_per_number=1)
    await schedule(wanted)
    with pytest.raises(ToolFailed, match="enough calls already"):
        await schedule(wanted, time="11:00")


# --- the calls ----------------------------------------------------------------------------------


class Notebook:
    """A carrier that writes down what it is asked for, and may refuse."""

    def __init__(self) -> None:
        self.calls: list[NewCall] = []
        self.attempts = 0
        self.error: BaseException | None = None
        self.placed = asyncio.Event()

    async def create_call(self, call: NewCall) -> str:
        self.attempts += 1
        if self.error is not None:
            raise self.error
        self.calls.append(call)
        self.placed.set()
        return f"CA{len(self.calls)}"

    async def hang_up(self, call_id: str) -> None:
        raise AssertionError

    async def close(self) -> None:
        return None


class Desk:
    """All that places promised calls, at a time that a test sets."""

    def __init__(self, folder: Path, **changes: object) -> None:
        self.now, self.free = NOON, True
        wanted = settings(folder, **changes)
        self.carrier = Notebook()
        self.opt_out = OptOutList(folder / "opt-out.txt")
        dialler = Dialler(wanted, self.carrier, self.opt_out, lambda: self.now)
        self.book = CallbackBook(folder / "callbacks.jsonl", 9)
        self.dialler = CallbackDialler(
            self.book, dialler, URLS, lambda: self.free, lambda: self.now
        )

    def states(self) -> list[str]:
        text = (self.book._file).read_text()
        return [json.loads(line).get("state", "promised") for line in text.splitlines()]


async def test_a_promise_is_kept_when_it_is_due_and_only_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.book.add(promise(NOON + timedelta(minutes=1)))
    assert await desk.dialler.dial_due() == 0
    desk.now += timedelta(minutes=1)
    assert await desk.dialler.dial_due() == 1
    assert await desk.dialler.dial_due() == 0
    (call,) = desk.carrier.calls
    assert (call.to, call.caller_id) == (NEW_YORK, "+12125550199")
    assert parse_qs(urlsplit(call.voice_url).query) == {
        "callback_about": ["the crown"],
        "bridge.persona": ["desk"],
    }
    assert desk.states() == ["promised", "dialling", "placed"]


async def test_while_no_line_is_free_a_promise_waits(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.book.add(promise())
    desk.free = False
    assert await desk.dialler.dial_due() == 0
    assert desk.states() == ["promised"]
    desk.free = True
    assert await desk.dialler.dial_due() == 1


async def test_too_many_calls_a_minute_wait_for_the_next_look(tmp_path: Path) -> None:
    desk = Desk(tmp_path, calls_per_minute=1)
    for number in (NEW_YORK, "+12125550124"):
        desk.book.add(promise(number=number))
    assert await desk.dialler.dial_due() == 1
    assert await desk.dialler.dial_due() == 0
    assert [one.number for one in desk.book.waiting()] == ["+12125550124"]


async def test_who_has_opted_out_meanwhile_is_not_called(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.book.add(promise())
    desk.book.add(promise(number="+12125550124"))
    desk.opt_out.add(NEW_YORK)
    await desk.dialler.dial_due()
    assert [call.to for call in desk.carrier.calls] == ["+12125550124"]
    assert "refused" in desk.states()
    assert desk.book.waiting() == []


@pytest.mark.parametrize("status", [None, 400, 500, 503], ids=str)
async def test_a_call_that_may_have_been_placed_is_never_placed_again(
    tmp_path: Path, status: int | None
) -> None:
    desk = Desk(tmp_path)
    desk.book.add(promise())
    desk.carrier.error = RestError("no", status=status)
    await desk.dialler.dial_due()
    desk.carrier.error = None
    assert await desk.dialler.dial_due() == 0
    assert (desk.carrier.attempts, desk.states()[-1]) == (1, "failed")


async def test_a_carrier_with_too_much_to_do_is_asked_again_later(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.book.add(promise())
    desk.carrier.error = RestError("busy", status=429)
    assert await desk.dialler.dial_due() == 0
    desk.carrier.error = None
    assert await desk.dialler.dial_due() == 1


async def test_after_a_crash_in_the_middle_nobody_is_called_twice(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.book.add(promise())
    desk.carrier.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        await desk.dialler.dial_due()
    again = Desk(tmp_path)
    assert await again.dialler.dial_due() == 0
    assert again.carrier.attempts == 0
    assert again.book.doubtful() == (1, 0)


async def test_a_disk_that_fails_for_a_moment_breaks_no_promise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicebridge.outbound.callback_dialler.LOOK_EVERY_S", 0.0)
    desk, failures = Desk(tmp_path), [OSError("disk full")]
    desk.book.add(promise())
    claim = desk.book.claim

    def claims(now: datetime) -> Callback | None:
        if failures:
            raise failures.pop()
        return claim(now)

    monkeypatch.setattr(desk.book, "claim", claims)
    running = asyncio.create_task(desk.dialler.run())
    async with asyncio.timeout(5):
        await desk.carrier.placed.wait()
    running.cancel()
    await asyncio.wait({running})
    assert (failures, desk.carrier.attempts) == ([], 1)
