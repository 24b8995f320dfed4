from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from voicebridge.rehearsal.network import DelayLine


def line(delay_ms: int, jitter_ms: int = 0) -> DelayLine[int]:
    return DelayLine(delay_ms, jitter_ms, random.Random(1))


def test_without_delay_a_message_is_due_at_once() -> None:
    messages = line(0)
    messages.put(7, now=3.0)
    assert messages.take(3.0) == (3.0, 7)
    assert messages.take(3.0) is None
    assert messages.next_due == float("inf")


def test_a_message_is_held_back_for_the_delay_and_knows_when_it_was_sent() -> None:
    messages = line(80)
    messages.put(7, now=1.0)
    assert messages.take(1.0799) is None
    assert messages.take(messages.next_due) == (1.0, 7)


@given(st.lists(st.integers(0, 50), max_size=30), st.integers(0, 100), st.integers(0, 60))
def test_nothing_overtakes_and_the_delay_stays_between_its_bounds(
    gaps_ms: list[int], delay_ms: int, jitter_ms: int
) -> None:
    messages, now, sent = line(delay_ms, jitter_ms), 0.0, []
    for number, gap_ms in enumerate(gaps_ms):
        now += gap_ms / 1000
        sent.append(now)
        messages.put(number, now)
    latest = 0.0
    for number, at in enumerate(sent):
        due = messages.next_due
        assert messages.take(due) == (at, number)
        assert due >= latest
        latest = max(latest, due)
        assert (
            at + delay_ms / 1000 <= due <= max(sent[: number + 1]) + (delay_ms + jitter_ms) / 1000
        )


def test_the_same_seed_gives_the_same_jitter() -> None:
    one, two = line(10, 30), line(10, 30)
    for messages in (one, two):
        messages.put(1, 0.0)
    assert one.next_due == two.next_due > 0.01
