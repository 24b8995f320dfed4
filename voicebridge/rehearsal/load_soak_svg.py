"""The picture of a soak: the bridge's memory against time, with the last half marked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from voicebridge.rehearsal.load_soak_figures import Growth, Sample, SoakFigures

WIDTH, HEIGHT = 760, 400
LEFT, RIGHT, TOP, BOTTOM = 74, 24, 96, 56
_STEPS_MB = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_STEPS_MIN = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 240, 480)
_STYLE = """
text { font-family: system-ui, 'DejaVu Sans', Arial, sans-serif; font-size: 12.5px; fill: #26313d; }
.paper { fill: #fcfcfa; } .title { font-size: 20px; font-weight: 600; }
.soft { fill: #6d7884; } .grid { stroke: #e2e4e2; } .half { fill: #2f6fde; fill-opacity: .05; }
.line { fill: none; stroke-width: 2; } .trend { stroke-width: 1.4; stroke-dasharray: 5 4; }
"""
_OWN, _PSS = "#2f6fde", "#8a939b"


def soak_picture(figures: SoakFigures) -> str:
    """Draw the pages of its own and the memory by share, in MB over minutes."""
    samples = [figures.idle, *figures.samples]
    most_min = max(samples[-1].at_s, 1.0) / 60
    most_mb = 1.1 * max(max(one.memory.pss_kb, one.memory.own_kb) for one in samples) / 1024
    most_mb = max(most_mb, 1.0)

    def x(minutes: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * minutes / most_min

    def y(mb: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * mb / most_mb

    half = figures.samples[len(figures.samples) // 2 :] or samples[-1:]
    from_x = x(half[0].at_s / 60)
    body = [
        '<rect class="paper" width="100%" height="100%"/>',
        f'<text class="title" x="{LEFT}" y="36">Memory while {figures.calls} calls at a time '
        f"come and go</text>",
        f'<text class="soft" x="{LEFT}" y="58">{figures.counts.ended} calls in '
        f"{figures.minutes:g} minutes; in the last half {_told(figures.own)}</text>",
        f'<rect class="half" x="{from_x:.1f}" y="{TOP}" width="{WIDTH - RIGHT - from_x:.1f}" '
        f'height="{HEIGHT - TOP - BOTTOM}"/>',
    ]
    body += [_across(mb, y(mb)) for mb in _marks(most_mb, _STEPS_MB)]
    body += [
        f'<text class="soft" x="{x(minutes):.1f}" y="{HEIGHT - BOTTOM + 20}" '
        f'text-anchor="middle">{minutes:g} min</text>'
        for minutes in _marks(most_min, _STEPS_MIN)
    ]
    lines: Sequence[tuple[str, str, Callable[[Sample], int]]] = (
        ("pages of its own", _OWN, lambda one: one.memory.own_kb),
        ("memory by share", _PSS, lambda one: one.memory.pss_kb),
    )
    for at, (name, colour, kb_of) in enumerate(lines):
        path = " ".join(f"{x(one.at_s / 60):.1f},{y(kb_of(one) / 1024):.1f}" for one in samples)
        body += [
            f'<text x="{LEFT + 150 * at}" y="84" style="fill:{colour};font-weight:600">{name}'
            "</text>",
            f'<polyline class="line" stroke="{colour}" points="{path}"/>',
        ]
    own = figures.own
    body.append(
        f'<line class="trend" stroke="#d6453d" x1="{from_x:.1f}" x2="{x(most_min):.1f}" '
        f'y1="{y(own.first_kb / 1024):.1f}" y2="{y((own.first_kb + own.trend_kb) / 1024):.1f}"/>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}"><style>{_STYLE}</style>\n'
        + "\n".join(body)
        + "</svg>\n"
    )


def _told(growth: Growth) -> str:
    return f"{growth.kb / 1024:+.1f} MB (trend {growth.trend_kb / 1024:+.1f} MB)"


def _marks(most: float, steps: Sequence[float]) -> list[float]:
    """Choose at most eight round numbers up to ``most``."""
    step = next((step for step in steps if most / step <= 8), steps[-1])
    return [step * number for number in range(1, int(most / step) + 1)]


def _across(mb: float, at: float) -> str:
    return (
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
        f'<text class="soft" x="{LEFT - 10}" y="{at + 4:.1f}" text-anchor="end">{mb:g} MB</text>'
    )
