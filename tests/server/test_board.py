"""The board that workers share: sums and counts are right, and exact between processes."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from voicebridge.server.crew.board import Board, State
from voicebridge.server.crew.tallies import MINUTE_S, Happenings, Sums, Whereabouts
from voicebridge.server.spending import DAY_S, HOUR_S, Spending
from voicebridge.settings import Limits

WITHIN_S = 30.0
MOMENTS = st.lists(st.tuples(st.floats(0, 2 * DAY_S), st.integers(0, 100)), max_size=50)


@given(MOMENTS, st.sampled_from([HOUR_S, DAY_S]))
def test_a_sum_is_that_of_its_minutes(moments: list[tuple[float, int]], length_s: float) -> None:
    sums = Sums(memoryview(bytearray(Sums.BYTES)))
    now = 0.0
    for now, amount in sorted(moments):
        sums.add(amount, now)
    oldest = (now - length_s) // MINUTE_S
    by_hand = sum(amount for at, amount in moments if at // MINUTE_S > oldest)
    assert sums.since(now - length_s) == by_hand


@given(st.lists(st.tuples(st.floats(0, 40), st.sampled_from("abc")), max_size=60))
def test_a_count_is_that_of_the_last_minute(steps: list[tuple[float, str]]) -> None:
    happened = Happenings(memoryview(bytearray(Happenings.BYTES)))
    noted: list[tuple[float, str]] = []
    now = 1000.0
    for wait_s, name in steps:
        now += wait_s
        by_hand = sum(at > now - MINUTE_S and one == name for at, one in noted)
        assert happened.count(name, now) == by_hand
        happened.add(name, now)
        noted.append((now, name))


def test_of_too_much_within_a_minute_the_oldest_is_forgotten_first() -> None:
    happened = Happenings(memoryview(bytearray(Happenings.BYTES)))
    for number in range(Happenings.MOST + 10):
        happened.add("old" if number < 10 else "new", 1000.0)
    assert (happened.count("old", 1000.0), happened.count("new", 1000.0)) == (0, Happenings.MOST)
    happened.add("new", 1000.0)
    assert happened.count("new", 1000.0) == Happenings.MOST
    assert happened.count("new", 1000.0 + MINUTE_S) == 0


def test_a_call_is_where_it_was_answered_last_as_long_as_it_is_not_too_long_ago() -> None:
    calls = Whereabouts(memoryview(bytearray(Whereabouts.BYTES)))
    assert (calls.find("CA0"), calls.find("")) == (None, None)
    for number in range(Whereabouts.MOST):
        calls.note(f"CA{number}", number % 7)
    calls.note("CA1", 9)
    assert [calls.find(f"CA{number}") for number in (0, 1, 2, Whereabouts.MOST)] == [0, 9, 2, None]
    calls.note(f"CA{Whereabouts.MOST}", 8)
    assert [calls.find(f"CA{number}") for number in (0, 1, Whereabouts.MOST)] == [None, 9, 8]


def test_what_a_worker_tells_stays_in_its_slot() -> None:
    board = Board.shared(3)
    for number, slot in enumerate(board.slots):
        slot.state, slot.pid, slot.live, slot.kept = State.UP, 100 + number, number, 2 * number
    board.spent.add(1.5, 1e6)
    board.happened.add("x", 1e6)
    board.slots[1].clear()
    told = [(slot.state, slot.pid, slot.live, slot.kept) for slot in board.slots]
    assert told == [(State.UP, 100, 0, 0), (State.DOWN, 0, 0, 0), (State.UP, 102, 2, 4)]
    assert (board.spent.since(0), board.happened.count("x", 1e6)) == (1.5, 1)
    assert [slot.is_first for slot in board.slots] == [True, False, False]


FORKED = """
import os, signal
from voicebridge.server.callers import Callers, Rate
from voicebridge.server.crew.board import Board
from voicebridge.server.spending import Spending
from voicebridge.settings import Limits

def in_processes(count, work):
    'Do the same in several processes at once; return what each came to, up to 255.'
    pids = []
    for _ in range(count):
        if (pid := os.fork()) == 0:
            code = 255
            try:
                code = work()
            finally:
                os._exit(code)
        pids.append(pid)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]

board = Board.shared(4)
"""


def said_by(script: str) -> list[str]:
    """Run a script in a process of its own, which may fork, and return what it prints."""
    command = [sys.executable, "-c", FORKED + script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WITHIN_S, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_processes_that_decide_at_once_never_allow_too_much() -> None:
    script = """
rate = Rate(150, board, "caller")
print(sum(in_processes(4, lambda: sum(rate.allows("+1") for _ in range(100)))))
print(Callers(150, board).may_call("+1"), Callers(150, board).may_call("+2"))
print(Rate(150, board, "placed").allows("+1"))
"""
    assert said_by(script) == ["150", "False", "True", "True"]


def test_nothing_that_processes_spend_at_once_is_forgotten() -> None:
    script = """
spending = Spending(Limits(spend_per_hour_usd=400, spend_per_day_usd=None), board)
def spend():
    for _ in range(1000):
        spending.add(0.125)
    return 0
print(*in_processes(4, spend), spending.share(), spending.exhausted)
"""
    assert said_by(script) == ["0", "0", "0", "0", "1.25", "True"]


def test_a_process_that_dies_with_the_lock_lets_go_of_it() -> None:
    script = """
def die():
    board.lock.__enter__()
    os.kill(os.getpid(), signal.SIGKILL)
print(*in_processes(1, die), *in_processes(1, lambda: Rate(1, board).allows("x")))
"""
    assert said_by(script) == ["-9", "1"]


def test_without_caps_nothing_is_ever_spent() -> None:
    spending = Spending(Limits(spend_per_hour_usd=None, spend_per_day_usd=None))
    spending.add(1e9)
    assert (spending.share(), spending.exhausted) == (0, False)
