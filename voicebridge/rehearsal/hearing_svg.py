"""Draw what the hearing bench has found: the errors of each setting, and how soon it was quiet."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Final

from voicebridge.rehearsal.hearing_figures import percentile
from voicebridge.rehearsal.hearing_report import HearingReport
from voicebridge.rehearsal.svg_style import AGENT, CUT, STYLE
from voicebridge.rehearsal.svg_text import clean, upright

WIDTH, LEFT, RIGHT, HEAD, ROW, GAP = 960.0, 190.0, 190.0, 124.0, 46.0, 54.0
BARS_PX, BIN_PX = 32.0, 7.0
REACH_MS = 50.0
"""An error beyond this is drawn at the edge."""

BAR_MS, MOST_MS = 20, 40
DELAYS_MS: Final = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Where the columns of the clear's times end; the last holds all that took longer."""

CLEAR_BAR_MS = 3.0

_STYLE = f"""
.within {{ fill: {AGENT}; fill-opacity: .09; }}
.nearly {{ fill: {AGENT}; fill-opacity: .05; }}
.share {{ fill: {AGENT}; }} .beyond {{ fill: {CUT}; }}
.axis {{ stroke: #c3cacd; stroke-width: 1; }}
.limit {{ stroke: {CUT}; stroke-width: 1.2; stroke-dasharray: 4 3; }}
.end {{ text-anchor: end; }} .mid {{ text-anchor: middle; }}
@media (prefers-color-scheme: dark) {{
  .axis {{ stroke: #3a444d; }} .share {{ fill: #35c398; }} .beyond {{ fill: #ff7b72; }}
}}
"""
Row = tuple[str, str, Sequence[float]]


def hearing_svg(report: HearingReport) -> str:
    """Draw the picture as an SVG document, readable on light and dark."""
    rows: list[Row] = [
        (setting.name, f"{len(cuts.errors_ms)} cuts", cuts.errors_ms)
        for setting, cuts in report.cuts.items()
    ]
    slips = [slip for coughs in report.coughs.values() for slip in coughs.slips_ms]
    cuts = sum(len(errors) for _, _, errors in rows)
    verdict = "every bar holds" if report.ok else "a bar does not hold"
    body = [
        '<text class="title" x="24" y="38">What the model was told, against what was heard</text>',
        f'<text class="soft" x="24" y="60">{cuts} replies cut by a caller, at eight distances '
        f"between phone and bridge · seed {report.seed} · {verdict}</text>",
    ]
    y = HEAD
    body += _heading("one way delay", "error in ms: told too little ← 0 → told too much", y)
    for row in rows:
        body += _errors(row, y)
        y += ROW
    body += _scale(HEAD, y)
    y += GAP + 24
    body += _heading("a cough", "audio in ms: repeated ← 0 → lost, where the reply went on", y)
    body += [*_errors(("all distances", f"{len(slips)} coughs", slips), y), *_scale(y, y + ROW)]
    y += ROW + GAP
    if report.clear_ms:
        y += 24
        body += _clear(report, y)
        y += 2 * ROW + GAP
    return _document(body, y)


def _heading(side: str, text: str, y: float) -> list[str]:
    return [
        f'<text class="soft small" x="24" y="{y - 12:g}">{side}</text>',
        f'<text class="soft small mid" x="{_x(0):g}" y="{y - 12:g}">{text}</text>',
        f'<text class="soft small end" x="{WIDTH - 24:g}" y="{y - 12:g}">p50 · p99 · max</text>',
    ]


def _errors(row: Row, y: float) -> list[str]:
    """Draw one row: for each millisecond a column as high as its share, and the figures."""
    name, count, errors = row
    base = y + ROW - 8
    absolute = [abs(error) for error in errors]
    figures = " · ".join(_number(v) for v in (*_middle(absolute), max(absolute, default=None)))
    elements = [
        f'<text class="lane" x="24" y="{base - 12:g}">{clean(name)}</text>',
        f'<text class="soft small" x="24" y="{base + 2:g}">{clean(count)}</text>',
        f'<line class="axis" x1="{LEFT:g}" x2="{WIDTH - RIGHT:g}" y1="{base:g}" y2="{base:g}"/>',
        f'<text class="value end" x="{WIDTH - 24:g}" y="{base:g}">{figures}</text>',
    ]
    bins = Counter(round(max(-REACH_MS, min(REACH_MS, error))) for error in errors)
    for at_ms, many in sorted(bins.items()):
        high = max(3.0, BARS_PX * many / len(errors))
        kind = "share" if abs(at_ms) <= BAR_MS else "beyond"
        elements.append(_column(kind, _x(at_ms), base, high))
    return elements


def _column(kind: str, middle_x: float, base: float, high: float) -> str:
    return (
        f'<rect class="{kind}" x="{middle_x - BIN_PX / 2:.1f}" y="{base - high:.1f}" '
        f'width="{BIN_PX:g}" height="{high:.1f}" rx="1.5"/>'
    )


def _scale(top: float, bottom: float) -> list[str]:
    """Shade what the bars allow, behind the rows, and write the milliseconds below."""
    high = bottom - top
    elements = [
        f'<rect class="{kind}" x="{_x(-ms):.1f}" y="{top:g}" width="{_x(ms) - _x(-ms):.1f}" '
        f'height="{high:g}"/>'
        for kind, ms in (("nearly", MOST_MS), ("within", BAR_MS))
    ]
    for ms in (-MOST_MS, -BAR_MS, 0, BAR_MS, MOST_MS):
        sign = "±0" if ms == 0 else f"{ms:+d}"
        elements.append(
            f'<text class="soft small mid" x="{_x(ms):.1f}" y="{bottom + 16:g}">{sign}</text>'
        )
    return elements


def _clear(report: HearingReport, y: float) -> list[str]:
    """Draw how long the bridge took from the caller's first word to the clear."""
    times = report.clear_ms
    base, columns = y + 2 * ROW - 12, len(DELAYS_MS) + 1
    step = (WIDTH - LEFT - RIGHT) / columns
    counts = Counter(sum(time > end for end in DELAYS_MS) for time in times)
    most = max(counts.values())
    middle, late = _middle(times)
    figures = " · ".join(_number(v) for v in (middle, late, max(times)))
    text = "speech_started read → clear written, inside the bridge, in ms"
    elements = [
        *_heading(f"{report.crowd} calls at once", text, y),
        f'<text class="lane" x="24" y="{base - 12:g}">the clear</text>',
        f'<text class="soft small" x="24" y="{base + 2:g}">{len(times)} cuts</text>',
        f'<line class="axis" x1="{LEFT:g}" x2="{WIDTH - RIGHT:g}" y1="{base:g}" y2="{base:g}"/>',
        f'<text class="value end" x="{WIDTH - 24:g}" y="{base:g}">{figures}</text>',
    ]
    bar_x = LEFT + step * (DELAYS_MS.index(2.0) + 1 + math.log2(CLEAR_BAR_MS / 2.0))
    elements.append(upright("limit", bar_x, base - 2 * ROW + 36, base))
    for number in range(columns):
        x, share = LEFT + number * step, counts.get(number, 0) / most
        begins = DELAYS_MS[number - 1] if number else 0.0
        kind = "share" if begins < CLEAR_BAR_MS else "beyond"
        if share:
            high = max(3.0, share * (2 * ROW - 36))
            elements.append(
                f'<rect class="{kind}" x="{x + 3:.1f}" y="{base - high:.1f}" '
                f'width="{step - 6:.1f}" height="{high:.1f}" rx="2"/>'
            )
        label = f"{DELAYS_MS[number]:g}" if number < len(DELAYS_MS) else "longer"
        label_x = x + (step if number < len(DELAYS_MS) else step / 2)
        elements.append(
            f'<text class="soft small mid" x="{label_x:.1f}" y="{base + 16:g}">{label}</text>'
        )
    return elements


def _x(error_ms: float) -> float:
    wide = (WIDTH - LEFT - RIGHT) / 2 - BIN_PX
    return LEFT + (WIDTH - LEFT - RIGHT) / 2 + error_ms / REACH_MS * wide


def _middle(values: Sequence[float]) -> tuple[float | None, float | None]:
    return percentile(values, 50), percentile(values, 99)


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.1f}".removesuffix(".0")


def _document(body: Sequence[str], height: float) -> str:
    name = "What the model was told, against what was heard"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {height:g}" '
            f'width="{WIDTH:g}" height="{height:g}" role="img" aria-label="{name}">',
            f"<title>{name}</title>",
            f"<style>{STYLE}{_STYLE}</style>",
            f'<rect class="paper" x=".5" y=".5" width="{WIDTH - 1:g}" '
            f'height="{height - 1:g}" rx="12"/>',
            *body,
            "</svg>\n",
        ]
    )
