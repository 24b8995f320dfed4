"""Draw a call as a picture: rows of time like a score, a legend, and the figures at the foot."""

from __future__ import annotations

from collections.abc import Sequence

from voicebridge.rehearsal.ear import is_audible
from voicebridge.rehearsal.report import Figure
from voicebridge.rehearsal.svg_row import LEFT, PLOT, RIGHT, Window, draw_row
from voicebridge.rehearsal.svg_style import STYLE
from voicebridge.rehearsal.svg_text import clean, width_px
from voicebridge.rehearsal.timeline import Timeline

SLACK_MS = 1000
WIDTH = LEFT + PLOT + RIGHT
ROW_S, ROW_GAP, HEAD, FOOT_COLUMNS, FOOT_ROW = 12, 30.0, 126.0, 5, 46.0

_LEGEND = (
    ('<path class="wave caller" d="M2 5V13M7 2V16M12 6V12"/>', "caller"),
    ('<path class="wave agent" d="M2 5V13M7 2V16M12 6V12"/>', "agent, as heard"),
    ('<path class="wave agent lost" d="M2 5V13M7 2V16M12 6V12"/>', "cut, never heard"),
    ('<line class="cut" x1="7" x2="7" y1="0" y2="18"/>', "cut by the caller"),
    ('<line class="noticed" x1="1" x2="15" y1="9" y2="9"/>', "speech noticed by the model"),
    ('<rect class="tool" x="0" y="3" width="15" height="12" rx="6"/>', "tool call"),
    ('<rect class="chip agent" x="0" y="3" width="15" height="12" rx="3"/>', "keys, tones, verbs"),
    ('<path class="mark" d="M3 6V12M8 6V12M13 6V12"/>', "mark played"),
    ('<path class="back" d="M3 6V12M8 6V12M13 6V12"/>', "mark sent back unheard"),
)


def timeline_svg(timeline: Timeline) -> str:
    """Draw the picture as an SVG document, readable on light and dark."""
    body = [*_head(timeline), *_legend()]
    y = HEAD
    for window in _windows(timeline):
        elements, height = draw_row(timeline, window, y)
        body += elements
        y += height + ROW_GAP
    elements, height = _foot(timeline.figures, y)
    body += elements
    return _document(timeline.title, body, y + height)


def _windows(timeline: Timeline) -> list[Window]:
    """Part the call into rows of about twelve seconds, each ending where nobody speaks."""
    seconds = max(4, -(-timeline.duration_ms // 1000))
    rows = -(-seconds // ROW_S)
    scale_ms = -(-seconds // rows) * 1000 + (SLACK_MS if rows > 1 else 0)
    windows, start_ms = [], 0
    while start_ms + scale_ms < timeline.duration_ms:
        end_ms = _quiet_before(timeline, start_ms + scale_ms)
        windows.append(Window(start_ms, end_ms, scale_ms))
        start_ms = end_ms
    return [*windows, Window(start_ms, start_ms + scale_ms, scale_ms, last=True)]


def _quiet_before(timeline: Timeline, latest_ms: int) -> int:
    """Find the last moment at which both sides pause, up to two seconds before ``latest_ms``."""
    for at_ms in range(latest_ms, latest_ms - 2000, -100):
        around = slice((at_ms - 160) * 8, (at_ms + 160) * 8)
        sides = (timeline.caller_audio[around], timeline.agent_audio[around])
        if not any(map(is_audible, sides)):
            return at_ms
    return latest_ms


def _document(title: str, body: Sequence[str], height: float) -> str:
    name = clean(title)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {height:g}" '
            f'width="{WIDTH:g}" height="{height:g}" role="img" aria-label="{name}">',
            f"<title>{name}</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="paper" x=".5" y=".5" width="{WIDTH - 1:g}" '
            f'height="{height - 1:g}" rx="12"/>',
            *(element for element in body if element),
            "</svg>\n",
        ]
    )


def _head(timeline: Timeline) -> list[str]:
    return [
        f'<text class="title" x="24" y="38">{clean(timeline.title)}</text>',
        f'<text class="soft" x="24" y="60">{clean(timeline.subtitle)}</text>',
    ]


def _legend() -> list[str]:
    elements, x = [], 24.0
    for sign, name in _LEGEND:
        elements.append(
            f'<g transform="translate({x:.1f} 78)">{sign}'
            f'<text class="soft small" x="21" y="13">{name}</text></g>'
        )
        x += 21 + width_px(name, 11) + 22
    return elements


def _foot(figures: Sequence[Figure], top: float) -> tuple[list[str], float]:
    """Set the figures in columns: a tick or cross by the bar, the value, its name below."""
    elements = [f'<line class="rule" x1="24" x2="{WIDTH - 24:g}" y1="{top:g}" y2="{top:g}"/>']
    column_px = (WIDTH - 48) / FOOT_COLUMNS
    for number, figure in enumerate(figures):
        x = 24 + number % FOOT_COLUMNS * column_px
        y = top + 34 + number // FOOT_COLUMNS * FOOT_ROW
        tone = {True: "good", False: "bad", None: ""}[figure.ok]
        sign = {True: "✓ ", False: "✗ ", None: ""}[figure.ok]
        elements += [
            f'<text class="value {tone}" x="{x:.1f}" y="{y:g}">{sign}{clean(figure.shown)}</text>',
            f'<text class="soft small" x="{x:.1f}" y="{y + 16:g}">{clean(figure.name)}</text>',
        ]
    rows = -(-len(figures) // FOOT_COLUMNS)
    return elements, 34 + rows * FOOT_ROW
