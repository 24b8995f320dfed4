"""The page on performance shows the tables that the benches print: names, not figures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "performance.md").read_text("utf-8")
BENCH = "tests/bench/bench_events.py"


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def table(text: str) -> list[list[str]]:
    """Give the cells of a table, header and all."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def without_figures(rows: list[list[str]]) -> list[list[str]]:
    """Put a mark where a figure is; one that is no number fails."""
    header, _, *measured = rows
    marked = [
        ["figure" if cell and float(cell) >= 0 else "" for cell in row[1:]] for row in measured
    ]
    return [header, *([row[0], *marks] for row, marks in zip(measured, marked, strict=True))]


def test_the_table_of_events_is_the_one_that_the_bench_prints() -> None:
    run = subprocess.run(
        [sys.executable, BENCH, "20"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    printed, shown = table(run.stdout), table(section("Events: microseconds each"))
    assert len(printed) > 2
    assert without_figures(shown) == without_figures(printed)


def test_the_page_says_how_to_measure_the_events_again() -> None:
    assert f"uv run python {BENCH} " in section("Events: microseconds each")
