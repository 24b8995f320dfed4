"""Set words in SVG: escaped, wrapped by an estimate of their width, never over each other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import NamedTuple

from voicebridge.rehearsal.timeline import TimedWord

FONT_PX = 12.5
LINE_PX = 16.0
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NARROW, _WIDE = set("iljtfr.,:;!'|()[] "), set("mwMWOQ@%—")


def clean(text: str) -> str:
    """Escape text for XML; what XML cannot hold at all is left out."""
    return escape(_CONTROL.sub("", text), quote=True)


def upright(name: str, x: float, top: float, bottom: float) -> str:
    """Draw a vertical line of the class ``name``."""
    return f'<line class="{name}" x1="{x:.1f}" x2="{x:.1f}" y1="{top:g}" y2="{bottom:g}"/>'


def width_px(text: str, font_px: float = FONT_PX) -> float:
    """Estimate how wide a text is set in a plain sans-serif face, rather too wide."""
    units = sum(0.32 if c in _NARROW else 0.88 if c in _WIDE else 0.57 for c in text)
    return units * font_px


class Run(NamedTuple):
    """Words in one style on one line."""

    text: str
    heard: bool


Line = list[Run]


def wrap(words: Sequence[TimedWord], limit_px: float) -> list[Line]:
    """Set words into lines of at most ``limit_px``, style by style; a long word stands alone."""
    lines: list[list[TimedWord]] = [[]]
    used = 0.0
    for word in words:
        wide = width_px(word.text + " ")
        if lines[-1] and used + wide > limit_px:
            lines.append([])
            used = 0.0
        lines[-1].append(word)
        used += wide
    return [_runs(line) for line in lines if line]


def _runs(words: Sequence[TimedWord]) -> Line:
    runs: Line = []
    for word in words:
        if runs and runs[-1].heard == word.heard:
            runs[-1] = Run(f"{runs[-1].text} {word.text}", word.heard)
        else:
            runs.append(Run(word.text, word.heard))
    return runs


def line_width_px(line: Line) -> float:
    """Estimate the width of a line with the spaces between its runs."""
    return width_px(" ".join(run.text for run in line))


@dataclass
class Shelf:
    """Levels of text beside a lane: each block goes to the first level where it is free."""

    gap_px: float = 14.0
    _ends: list[float] = field(default_factory=list)

    def place(self, x: float, wide: float, levels: int) -> int:
        """Take ``levels`` levels from ``x`` on; blocks must come by rising ``x``."""
        level = 0
        while any(end + self.gap_px > x for end in self._ends[level : level + levels]):
            level += 1
        missing = level + levels - len(self._ends)
        self._ends.extend([float("-inf")] * max(0, missing))
        for taken in range(level, level + levels):
            self._ends[taken] = x + wide
        return level

    @property
    def levels(self) -> int:
        """Tell how many levels are in use."""
        return len(self._ends)
