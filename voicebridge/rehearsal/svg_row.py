"""Draw one row of the picture: some seconds of the call, the caller above, the agent below.

The time runs along the axis between the two. What the caller said stands above the caller's
voice, what the agent said below the agent's; between agent and words lie the cuts and tools.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from voicebridge.audio import g711
from voicebridge.rehearsal.svg_text import (
    LINE_PX,
    Line,
    Shelf,
    clean,
    line_width_px,
    upright,
    width_px,
    wrap,
)
from voicebridge.rehearsal.timeline import Span, TimedWord, Timeline, Unheard

LEFT, RIGHT, PLOT = 84.0, 36.0, 1080.0
LANE, AXIS, STRIP, NOTE = 58.0, 34.0, 12.0, 24.0
BAR_MS, CHIP = 40, 18.0
LEAST_CAPTION_PX, UNHEARD_LETTERS = 170.0, 70
LOUDEST_RMS = 9000


@dataclass(frozen=True, slots=True)
class Window:
    """The stretch of time that a row shows; the whole plot is ``scale_ms`` wide."""

    start_ms: float
    end_ms: float
    scale_ms: float
    last: bool = False

    def x(self, at_ms: float) -> float:
        """Tell where a moment lies, kept within the plot."""
        share = (at_ms - self.start_ms) / self.scale_ms
        return LEFT + PLOT * min(1.0, max(0.0, share))

    def holds(self, at_ms: float) -> bool:
        """Tell whether a moment lies in this row; the last row takes what comes later."""
        return self.start_ms <= at_ms and (self.last or at_ms < self.end_ms)

    def crosses(self, span: Span) -> bool:
        """Tell whether something that lasted is to be seen in this row."""
        return span.start_ms < self.end_ms and span.end_ms >= self.start_ms


@dataclass(frozen=True, slots=True)
class Block:
    """Lines of words at ``x``, ``level`` lines away from the lane."""

    x: float
    level: int
    lines: list[Line]


def draw_row(timeline: Timeline, window: Window, top: float) -> tuple[list[str], float]:
    """Draw a row whose upper edge is ``top``; return its elements and its height."""
    above, above_levels = _captions(timeline, window, "caller")
    below, below_levels = _captions(timeline, window, "agent")
    caller_top = top + above_levels * LINE_PX + 6
    axis_top = caller_top + LANE
    agent_top = axis_top + AXIS
    notes_top = agent_top + LANE + STRIP
    notes, note_levels = _notes(timeline, window, agent_top, notes_top)
    words_top = notes_top + note_levels * NOTE
    elements = [
        *_stage(timeline, window, caller_top, agent_top),
        *_axis(timeline, window, axis_top),
        *_noticed(timeline, window, caller_top + LANE + 6),
        *_unheard(timeline, window, agent_top + LANE / 2),
        _wave(timeline.caller_audio, window, caller_top + LANE / 2, "caller"),
        _wave(timeline.agent_audio, window, agent_top + LANE / 2, "agent"),
        *_marks(timeline, window, agent_top + LANE),
        *_chips(timeline, window, {"caller": caller_top, "agent": agent_top}),
        *_cut_lines(timeline, window, caller_top, notes_top),
        *notes,
        *_words(above, caller_top - 8, -LINE_PX),
        *_words(below, words_top + 14, LINE_PX),
    ]
    return elements, words_top + below_levels * LINE_PX + 4 - top


def _stage(timeline: Timeline, window: Window, caller_top: float, agent_top: float) -> list[str]:
    elements = []
    wide = window.x(min(timeline.duration_ms, window.end_ms)) - LEFT
    for name, top in (("caller", caller_top), ("agent", agent_top)):
        middle = top + LANE / 2
        elements += [
            f'<rect class="stage" x="{LEFT}" y="{top:g}" width="{wide:.1f}" '
            f'height="{LANE}" rx="5"/>',
            f'<path class="base" d="M{LEFT} {middle:g}h{wide:.1f}"/>',
            f'<text class="lane ink-{name}" x="{LEFT - 12}" y="{middle + 4:g}" '
            f'text-anchor="end">{name}</text>',
        ]
    return elements


def _axis(timeline: Timeline, window: Window, top: float) -> list[str]:
    """Draw a tick a second and a number at every one of them that has room."""
    elements = []
    step_s = 1 if PLOT / window.scale_ms * 1000 >= 40 else 5
    second = -(-int(window.start_ms) // 1000)
    while second * 1000 <= window.end_ms and second * 1000 < timeline.duration_ms + 1000:
        if second % step_s == 0:
            x = window.x(second * 1000)
            elements += [
                upright("rule", x, top + 12, top + 16),
                f'<text class="soft small" x="{x:.1f}" y="{top + 28:g}" '
                f'text-anchor="middle">{second} s</text>',
            ]
        second += 1
    return elements


def _noticed(timeline: Timeline, window: Window, y: float) -> list[str]:
    return [
        f'<line class="noticed" x1="{window.x(span.start_ms):.1f}" '
        f'x2="{window.x(min(span.end_ms, window.end_ms)):.1f}" y1="{y:g}" y2="{y:g}"/>'
        for span in timeline.noticed
        if window.crosses(span)
    ]


def _wave(audio: bytes, window: Window, middle: float, name: str) -> str:
    first, last = int(window.start_ms), int(window.end_ms)
    path = _bars(audio[first * 8 : last * 8], window, window.start_ms, middle)
    return f'<path class="wave {name}" d="{path}"/>' if path else ""


def _bars(audio: bytes, window: Window, start_ms: float, middle: float) -> str:
    """Draw a bar for each 40 ms, its height by ear: the square root of the loudness."""
    bars = []
    for offset in range(0, len(audio), BAR_MS * 8):
        loud = g711.rms(audio[offset : offset + BAR_MS * 8])
        if loud < 60:
            continue
        half = max(1.0, min(1.0, loud / LOUDEST_RMS) ** 0.5 * (LANE / 2 - 4))
        x = window.x(start_ms + offset / 8 + BAR_MS / 2)
        bars.append(f"M{x:.1f} {middle - half:.1f}V{middle + half:.1f}")
    return "".join(bars)


def _unheard(timeline: Timeline, window: Window, middle: float) -> list[str]:
    """Draw what the caller never heard, faded, up to where the agent is heard again."""
    elements = []
    for lost in timeline.unheard:
        end_ms = min(lost.at_ms + len(lost.audio) / 8, _heard_again_ms(timeline, lost))
        start_ms = max(lost.at_ms, window.start_ms)
        stop_ms = min(end_ms, window.end_ms)
        if start_ms < stop_ms:
            first, last = int(start_ms - lost.at_ms) * 8, int(stop_ms - lost.at_ms) * 8
            path = _bars(lost.audio[first:last], window, start_ms, middle)
            elements.append(f'<path class="wave agent lost" d="{path}"/>')
    return elements


def _heard_again_ms(timeline: Timeline, lost: Unheard) -> float:
    start = int(lost.at_ms) * 8
    rest = timeline.agent_audio[start:]
    quiet = len(rest) - len(rest.lstrip(b"\xff\x7f"))
    return lost.at_ms + quiet / 8 - 60 if quiet < len(rest) else float("inf")


def _marks(timeline: Timeline, window: Window, y: float) -> list[str]:
    return [
        upright("mark" if mark.played else "back", window.x(mark.at_ms), y + 2, y + 8)
        for mark in timeline.marks
        if window.holds(mark.at_ms)
    ]


def _chips(timeline: Timeline, window: Window, tops: dict[str, float]) -> list[str]:
    """Write keys, tones and packaged phrases into the lane of whoever they came from."""
    elements, shelf = [], {side: Shelf() for side in tops}
    for chip in sorted(timeline.chips, key=lambda chip: chip.start_ms):
        if not window.holds(chip.start_ms):
            continue
        wide = max(width_px(chip.label, 12) + 20, window.x(chip.end_ms) - window.x(chip.start_ms))
        x = min(window.x(chip.start_ms), LEFT + PLOT + RIGHT / 2 - wide)
        y = tops[chip.side] + 3 + shelf[chip.side].place(x, wide, 1) * CHIP
        elements += [
            f'<rect class="chip {chip.side}" x="{x:.1f}" y="{y:g}" width="{wide:.1f}" '
            f'height="{CHIP - 2:g}" rx="4"/>',
            f'<text class="small ink-{chip.side}" x="{x + 7:.1f}" y="{y + 12:g}">'
            f"{clean(chip.label)}</text>",
        ]
    return elements


def _cut_lines(timeline: Timeline, window: Window, top: float, bottom: float) -> list[str]:
    return [
        upright("cut", window.x(cut.start_ms), top - 4, bottom + 4)
        for cut in timeline.cuts
        if window.holds(cut.start_ms)
    ]


def _notes(
    timeline: Timeline, window: Window, agent_top: float, top: float
) -> tuple[list[str], int]:
    """Write cuts and tools on as many levels as they need not to lie over each other."""
    shelf, elements = Shelf(), []
    notes = [(cut, "cut") for cut in timeline.cuts] + [(tool, "tool") for tool in timeline.tools]
    shown = [(span, kind) for span, kind in notes if window.holds(span.start_ms)]
    for span, kind in sorted(shown, key=lambda note: window.x(note[0].start_ms)):
        at_x = window.x(span.start_ms)
        wide = max(width_px(span.label, 12) + 16, window.x(span.end_ms) - at_x)
        beside = -2 if kind == "cut" else -8
        x = max(LEFT, min(at_x + beside, LEFT + PLOT + RIGHT / 2 - wide))
        y = top + shelf.place(x, wide, 1) * NOTE
        if kind == "tool":
            elements += _tool(span, window, agent_top, (x, y, wide))
        elements.append(
            f'<text class="ink-{kind} small" x="{x + 8:.1f}" y="{y + 15:g}">'
            f"{clean(span.label)}</text>"
        )
    return elements, shelf.levels


def _tool(
    span: Span, window: Window, agent_top: float, box: tuple[float, float, float]
) -> list[str]:
    x, y, wide = box
    return [
        upright("stem", window.x(span.start_ms), agent_top + 4, y + 2),
        f'<rect class="tool" x="{x:.1f}" y="{y + 1:g}" width="{wide:.1f}" height="20" rx="10"/>',
    ]


def _captions(
    timeline: Timeline, window: Window, side: Literal["caller", "agent"]
) -> tuple[list[Block], int]:
    """Set the words of one side in this row, each saying from where it begins."""
    groups = [
        group
        for saying in timeline.sayings
        if saying.side == side and (group := _words_in(saying.words, window))
    ]
    groups.sort(key=lambda group: group[0].at_ms)
    shelf, blocks = Shelf(), []
    for number, group in enumerate(groups):
        x = min(window.x(group[0].at_ms), LEFT + PLOT - LEAST_CAPTION_PX)
        following = groups[number + 1] if number + 1 < len(groups) else None
        room = (window.x(following[0].at_ms) if following else LEFT + PLOT + RIGHT / 2) - x - 16
        lines = wrap(group, max(room, LEAST_CAPTION_PX))
        wide = max(line_width_px(line) for line in lines)
        blocks.append(Block(x, shelf.place(x, wide, len(lines)), lines))
    return blocks, shelf.levels


def _words_in(words: Sequence[TimedWord], window: Window) -> list[TimedWord]:
    """Take the words heard in this row, and behind a cut as many unheard ones as have room."""
    heard = [word for word in words if word.heard and window.holds(word.at_ms)]
    lost = [word for word in words if not word.heard]
    last_heard_ms = max((word.at_ms for word in words if word.heard), default=words[0].at_ms)
    if not lost or not window.holds(last_heard_ms):
        return heard
    text = " ".join(word.text for word in lost)
    if len(text) > UNHEARD_LETTERS:
        text = text[:UNHEARD_LETTERS].rsplit(" ", 1)[0] + " …"
    at_ms = heard[0].at_ms if heard else last_heard_ms
    return heard + [TimedWord(word, at_ms, heard=False) for word in text.split()]


def _words(blocks: Sequence[Block], first_y: float, step: float) -> list[str]:
    elements = []
    for block in blocks:
        for number, line in enumerate(block.lines):
            level = block.level + (number if step > 0 else len(block.lines) - 1 - number)
            spans = " ".join(
                clean(run.text)
                if run.heard
                else f'<tspan class="unheard">{clean(run.text)}</tspan>'
                for run in line
            )
            y = first_y + level * step
            elements.append(f'<text x="{block.x:.1f}" y="{y:g}">{spans}</text>')
    return elements
