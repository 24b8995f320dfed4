"""A short run of the fuzz target for persona files."""

from __future__ import annotations

from pathlib import Path

import fuzz_personas as fuzz
import pytest


def test_the_files_as_they_are_make_a_persona_that_speaks(tmp_path: Path) -> None:
    (tmp_path / "_house.yaml").write_text(fuzz.HOUSE)
    (tmp_path / "desk.yaml").write_text(fuzz.PERSONA)
    assert fuzz.outcome(tmp_path) == "spoken"


@pytest.mark.parametrize("seed", [1, 2])
def test_mutated_personas_are_refused_or_speak_and_nothing_else(seed: int) -> None:
    told: list[str] = []
    counts = fuzz.run(150, seed, told.append)
    assert told == []
    assert sum(counts.values()) == 150
    assert all(counts[kind] > 20 for kind in ("refused", "spoken")), counts
