"""The supervisor of workers, as a process of its own; its workers are a few lines each."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from voicebridge.server.crew import supervisor

WITHIN_S = 30.0
CREW = """
import os, signal, sys
from voicebridge import log
from voicebridge.errors import VoicebridgeError
from voicebridge.server.crew import supervisor
from voicebridge.server.crew.supervisor import Supervisor, make_crew

def say(words):
    print(words, flush=True)

log.configure("info", "console")
supervisor.FIRST_WAIT_S = 0.01
{settings}
crew = make_crew((), 2)
try:
    worker = Supervisor(crew, 0.0, say).run()
except VoicebridgeError as error:
    sys.exit(str(error))
if isinstance(worker, int):
    say("all over: " + str([slot.starts for slot in crew.board.slots]))
    sys.exit(worker)
slot, first_time = worker.slot, worker.slot.starts == 1
stop = []
signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
"""
SERVE = """
worker.report("hello")
while not stop:
    signal.pause()
"""


@contextmanager
def crew(work: str, settings: str = "") -> Iterator[subprocess.Popen[str]]:
    """Start a supervisor whose workers do this work."""
    pipe = subprocess.PIPE
    command = [
        sys.executable,
        "-W",
        "error::DeprecationWarning",
        "-c",
        CREW.format(settings=settings) + work,
    ]
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def heard(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    printed, said = process.communicate(timeout=WITHIN_S)
    return process.returncode, printed, said


def test_it_speaks_when_all_are_up_and_stops_them_in_good_manners() -> None:
    with crew(SERVE + "slot.live = 0") as process:
        assert heard(process) == "hello"
        process.send_signal(signal.SIGTERM)
        code, printed, said = ended(process)
    assert printed == "stopping: 0 calls go on to their end\nall over: [1, 1]\n"
    assert (code, said) == (0, "")


def test_a_worker_that_crashed_is_started_again_and_holds_no_line_any_more() -> None:
    work = """
if worker.index == 1 and first_time:
    slot.live, slot.kept = 3, 2
    os.kill(os.getpid(), signal.SIGKILL)
"""
    settings = "say = lambda words: print(words, [s.live + s.kept for s in crew.board.slots])"
    with crew(work + SERVE, settings) as process:
        assert heard(process) == "hello [0, 0]"
        process.send_signal(signal.SIGINT)
        code, printed, said = ended(process)
    assert code == 0
    assert "all over: [1, 2]" in printed
    assert "worker_died" in said
    assert "calls=3" in said
    assert "SIGKILL" in said


def test_when_none_can_be_started_it_gives_up_and_says_why() -> None:
    with crew("sys.exit(7)") as process:
        code, printed, said = ended(process)
    assert (code, printed) == (1, "")
    assert said.count("worker_died") == supervisor.MOST_FAILED_STARTS
    assert "no worker can be started: worker 0 ended 5 times in a row" in said
    assert "exit status 7" in said


def test_one_that_cannot_be_started_does_not_stop_another_that_answers() -> None:
    work = """
if worker.index == 1 and slot.starts < 9:
    sys.exit(7)
"""
    with crew(work + SERVE) as process:
        assert heard(process) == "hello"  # when all are up
        process.send_signal(signal.SIGTERM)
        code, printed, said = ended(process)
    assert (code, printed.splitlines()[1]) == (0, "all over: [1, 9]")
    assert said.count("worker_put_off") == 8


def test_a_wrong_setting_is_told_once_and_not_tried_again() -> None:
    with crew("sys.stderr.write('so it is wrong'); sys.exit(2)") as process:
        assert ended(process) == (2, "all over: [1, 0]\n", "so it is wrong")


def test_told_again_it_ends_at_once_whatever_the_workers_do() -> None:
    work = "worker.report('hello')\nwhile True: signal.pause()"
    with crew(work) as process:
        assert heard(process) == "hello"
        process.send_signal(signal.SIGINT)
        assert heard(process).startswith("stopping")
        process.send_signal(signal.SIGTERM)
        code, printed, _ = ended(process)
    assert code == 128 + signal.SIGTERM
    assert printed == "all over: [1, 1]\n"


def test_workers_that_do_not_end_in_time_are_ended() -> None:
    work = "worker.report('hello')\nwhile True: signal.pause()"
    with crew(work, "supervisor.STOPPED_WITHIN_S = 0.05") as process:
        assert heard(process) == "hello"
        process.send_signal(signal.SIGTERM)
        code, printed, said = ended(process)
    assert code == 0
    assert "all over" in printed
    assert "workers_did_not_end" in said


def test_where_no_process_can_be_had_it_tries_again() -> None:
    settings = """
fork, failing = os.fork, [1, 1]
def fork_or_not():
    if failing:
        failing.pop()
        raise BlockingIOError(11, "too many processes")
    return fork()
os.fork = fork_or_not
"""
    with crew(SERVE, settings) as process:
        assert heard(process) == "hello"
        process.send_signal(signal.SIGTERM)
        code, _, said = ended(process)
    assert code == 0
    assert said.count("too many processes") == 2


def test_workers_learn_that_their_supervisor_is_gone() -> None:
    work = """
import asyncio
async def wait():
    gone = asyncio.Event()
    worker.watch(gone.set)
    worker.report(str(os.getpid()))
    await gone.wait()
    say("it is gone")
asyncio.run(wait())
"""
    with crew(work) as process:
        assert int(heard(process)) != process.pid
        os.kill(process.pid, signal.SIGKILL)
        assert process.stdout is not None
        assert process.stdout.read().count("it is gone") == 2  # to its end, when both are


@pytest.mark.parametrize(("status", "words"), [(3, "exit status 3"), (-9, "SIGKILL"), (-99, "99")])
def test_how_a_worker_ended_is_told_in_words(status: int, words: str) -> None:
    assert words in supervisor._told(status)


def test_patience_grows_to_half_a_minute_and_no_further() -> None:
    crew_of_one = supervisor.make_crew((), 1)
    minding = supervisor.Supervisor(crew_of_one, 0.0, print)
    post = supervisor.Post(0)
    waits = []
    for _ in range(5000):
        before = time.monotonic()
        minding._put_off(post, "it was ended")
        waits.append(post.due - before)
    assert [round(wait_s, 1) for wait_s in waits[:8]] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert max(waits) < 31
    minding.close()
