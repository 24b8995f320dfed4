"""A short run of the fuzz target for realtime events, and bytes of no form at all."""

from __future__ import annotations

import fuzz_realtime_events as fuzz
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize("seed", [1, 2])
def test_mutated_events_are_read_or_refused_and_nothing_else(seed: int) -> None:
    told: list[str] = []
    counts = fuzz.run(1_500, seed, told.append)
    assert told == []
    assert sum(counts.values()) == 3_000
    assert all(counts[kind] > 100 for kind in ("event", "unknown", "malformed")), counts


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    assert fuzz.outcome(data, fuzz.GA) in {"event", "unknown", "malformed"}
    assert fuzz.outcome(data, fuzz.BETA) in {"event", "unknown", "malformed"}
