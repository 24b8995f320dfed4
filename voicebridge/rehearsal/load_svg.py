"""The picture of a load bench: the added delay against the number of calls, one line each way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log10
from statistics import median

from voicebridge.rehearsal.load_figures import LoadFigures, settled_runs
from voicebridge.rehearsal.svg_text import clean

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 74, 24, 92, 66
LEAST_MS, BAR_MS = 0.05, 5.0
_RULES_MS = (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000)
_COLOURS = ("#2f6fde", "#0f8f6b", "#b7791f", "#8b5cf6")
_FLOOR_COLOUR = "#8a939b"
_STYLE = """
text { font-family: system-ui, 'DejaVu Sans', Arial, sans-serif; font-size: 12.5px; fill: #26313d; }
.paper { fill: #fcfcfa; } .title { font-size: 20px; font-weight: 600; }
.soft { fill: #6d7884; } .grid { stroke: #e2e4e2; } .bar { stroke: #d6453d; stroke-dasharray: 5 4; }
.ink-bar { fill: #d6453d; } .line { fill: none; stroke-width: 2.2; } .p50 { stroke-dasharray: 2 4; }
"""


def picture(runs: Mapping[str, Sequence[LoadFigures]]) -> str:
    """Draw the medians of the runs that count; a number of calls with none has no point."""
    lines = {name: _worse_way(settled_runs(of_one)) for name, of_one in runs.items()}
    points = [point for line in lines.values() for point in line]
    most_ms = max([2 * BAR_MS, *(p99 for _, _, p99 in points)])
    most_calls = max([1, *(calls for calls, _, _ in points)])

    def x(calls: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * calls / most_calls

    def y(ms: float) -> float:
        share = log10(max(ms, LEAST_MS) / LEAST_MS) / log10(most_ms / LEAST_MS)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share

    body = [
        '<rect class="paper" width="100%" height="100%"/>',
        f'<text class="title" x="{LEFT}" y="36">Added delay against calls on one core</text>',
        f'<text class="soft" x="{LEFT}" y="58">The slower direction; median of the runs that '
        "count. Solid: p99, dotted: p50.</text>",
    ]
    body += [_rule(ms, y(ms)) for ms in _RULES_MS if LEAST_MS < ms <= most_ms]
    body.append(
        f'<line class="bar" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(BAR_MS):.1f}" '
        f'y2="{y(BAR_MS):.1f}"/><text class="ink-bar" x="{WIDTH - RIGHT}" '
        f'y="{y(BAR_MS) - 6:.1f}" text-anchor="end">bar: p99 {BAR_MS:g} ms</text>'
    )
    counts, last_x = sorted({calls for calls, _, _ in points}), -100.0
    for calls in counts:
        if x(calls) - last_x >= 30:
            last_x = x(calls)
            body.append(
                f'<text class="soft" x="{last_x:.1f}" y="{HEIGHT - BOTTOM + 20}" '
                f'text-anchor="middle">{calls}</text>'
            )
    body.append(
        f'<text class="soft" x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 18}" '
        'text-anchor="middle">calls at once</text>'
    )
    names: list[str] = []
    for at, (name, line) in enumerate(lines.items()):
        colour = _FLOOR_COLOUR if name == "floor" else _COLOURS[at % len(_COLOURS)]
        names.append(
            f'<tspan dx="{18 if names else 0}" style="fill:{colour}">'
            f"{clean(name.rpartition(', ')[2])}{'' if line else ': every run void'}</tspan>"
        )
        for kind, column in (("p50", 1), ("p99", 2)):
            path = " ".join(f"{x(point[0]):.1f},{y(point[column]):.1f}" for point in line)
            body.append(f'<polyline class="line {kind}" stroke="{colour}" points="{path}"/>')
        body += [
            f'<circle cx="{x(calls):.1f}" cy="{y(p99):.1f}" r="3.6" fill="{colour}"/>'
            for calls, _, p99 in line
        ]
    body.append(f'<text x="{LEFT}" y="80" style="font-weight:600">{"".join(names)}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}"><style>{_STYLE}</style>\n'
        + "\n".join(body)
        + "</svg>\n"
    )


def _rule(ms: float, at: float) -> str:
    return (
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
        f'<text class="soft" x="{LEFT - 10}" y="{at + 4:.1f}" text-anchor="end">{ms:g} ms</text>'
    )


def _worse_way(runs: Sequence[LoadFigures]) -> list[tuple[int, float, float]]:
    """Return calls, p50 and p99 of the slower direction, by the number of calls."""
    rows = []
    for calls in sorted({run.calls for run in runs}):
        made = [run for run in runs if run.calls == calls]
        ways = [
            (median(getattr(r, way).p50 for r in made), median(getattr(r, way).p99 for r in made))
            for way in ("up_ms", "down_ms")
        ]
        p50, p99 = max(ways, key=lambda way: way[1])
        rows.append((calls, p50, p99))
    return rows
