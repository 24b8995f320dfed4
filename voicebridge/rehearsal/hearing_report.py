"""What the hearing bench has found: figures against their bars, and a table of the settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from voicebridge.rehearsal.hearing_figures import Coughs, Cuts, Setting, percentile, spread
from voicebridge.rehearsal.report import Figure

BARS: dict[str, float] = {
    "error of audio_end_ms, p50": 10,
    "error of audio_end_ms, p99": 20,
    "error of audio_end_ms, max": 40,
    "items settled wrongly": 0,
    "truncates rejected": 0,
    "stale bytes played": 0,
    "barge-ins not noticed": 0,
    "cough: lost or repeated, max": 20,
    "coughs that cut a reply": 0,
    "speech_started read to clear written, p99": 3,
}
"""The most that is good; errors are the worst of all settings, in ms."""

COLUMNS = (
    "way",
    "barge-ins",
    "error p50",
    "p99",
    "max",
    "items",
    "right",
    "rejected",
    "stale",
    "clear p50",
    "p99",
    "coughs",
    "slip max",
)

NOTES = (
    "All times in ms. way: the delay one way, plus jitter. error: what the model was told to have",
    "been heard, against what the phone had played. clear: from the model's socket to the phone's,",
    "before the way; the work of the simulated model and phones is in it. slip: audio lost or",
    "repeated where a reply went on behind a cough.",
)


@dataclass(slots=True)
class HearingReport:
    """All that was measured. ``pinned`` tells whether the bridge had a core of its own."""

    seed: int
    crowd: int
    pinned: bool
    cuts: dict[Setting, Cuts] = field(default_factory=dict)
    coughs: dict[Setting, Coughs] = field(default_factory=dict)
    crowd_cuts: Cuts = field(default_factory=Cuts)
    clear_ms: list[float] = field(default_factory=list)
    """In the crowd, by the bridge's watch: from ``speech_started`` read to ``clear`` written."""
    clear_work_ms: list[float] = field(default_factory=list)
    """The same in processor time: what of it was the bridge's own work."""
    estimated: int = 0

    @property
    def everything(self) -> list[Cuts]:
        """Give the figures of the settings and of the crowd."""
        return [*self.cuts.values(), self.crowd_cuts]

    @property
    def figures(self) -> list[Figure]:
        """Hold what was measured against the bars."""
        errors = [[abs(error) for error in cuts.errors_ms] for cuts in self.everything]
        slips = [abs(slip) for coughs in self.coughs.values() for slip in coughs.slips_ms]
        values: dict[str, float | None] = {
            "error of audio_end_ms, p50": _worst([percentile(e, 50) for e in errors]),
            "error of audio_end_ms, p99": _worst([percentile(e, 99) for e in errors]),
            "error of audio_end_ms, max": _worst([max(e, default=None) for e in errors]),
            "items settled wrongly": sum(len(cuts.wrong) for cuts in self.everything),
            "truncates rejected": sum(cuts.rejected for cuts in self.everything),
            "stale bytes played": sum(cuts.stale_bytes for cuts in self.everything),
            "barge-ins not noticed": sum(cuts.missed for cuts in self.everything),
            "cough: lost or repeated, max": max(slips, default=None),
            "coughs that cut a reply": sum(coughs.cut for coughs in self.coughs.values()),
            "speech_started read to clear written, p99": percentile(self.clear_ms, 99),
        }
        return [
            Figure(name, _rounded(value), "ms" if _is_time(name) else "", BARS[name])
            for name, value in values.items()
        ]

    @property
    def problems(self) -> list[str]:
        """Tell what the phones complained of."""
        found = [p for cuts in self.everything for p in cuts.problems]
        return found + [p for coughs in self.coughs.values() for p in coughs.problems]

    @property
    def ok(self) -> bool:
        """Tell whether every bar holds and no phone complained."""
        return not self.problems and all(figure.ok is not False for figure in self.figures)

    def as_dict(self) -> dict[str, object]:
        """Give everything as plain data."""
        settings = [
            {
                "delay_ms": setting.delay_ms,
                "jitter_ms": setting.jitter_ms,
                "cuts": self.cuts[setting].as_dict(),
                "coughs": self.coughs[setting].as_dict() if setting in self.coughs else None,
            }
            for setting in self.cuts
        ]
        return {
            "ok": self.ok,
            "seed": self.seed,
            "bridge_on_its_own_core": self.pinned,
            "positions_estimated": self.estimated,
            "figures": [
                {"name": f.name, "value": f.value, "unit": f.unit, "bar": f.bar, "ok": f.ok}
                for f in self.figures
            ],
            "settings": settings,
            "crowd": {
                "calls": self.crowd,
                "clear_in_bridge_ms": {**spread(self.clear_ms), "times": self.clear_ms},
                "clear_work_ms": spread(self.clear_work_ms),
                **self.crowd_cuts.as_dict(),
            },
            "problems": self.problems,
        }

    def table(self) -> str:
        """Write the settings as a table and the bars below it."""
        rows = [COLUMNS, *(self._row(setting) for setting in self.cuts)]
        if self.crowd:
            rows.append(_cells(f"{self.crowd} calls", self.crowd_cuts, None))
        widths = [max(len(row[at]) for row in rows) for at in range(len(COLUMNS))]
        lines = [
            "  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in rows
        ]
        lines += ["", *NOTES, ""]
        wide = max(len(name) for name in BARS)
        for figure in self.figures:
            sign = {True: "✓", False: "✗", None: "·"}[figure.ok]
            bar = f"at most {figure.bar:g} {figure.unit}"
            lines.append(f"  {sign} {figure.name:<{wide}}  {figure.shown:>9}   {bar}".rstrip())
        if (work_ms := percentile(self.clear_work_ms, 99)) is not None:
            lines.append(f"    of which the bridge's own work, p99: {work_ms:.1f} ms")
        return "\n".join([*lines, *(f"  ✗ {problem}" for problem in self.problems[:20]), ""])

    def _row(self, setting: Setting) -> tuple[str, ...]:
        return _cells(setting.name, self.cuts[setting], self.coughs.get(setting))


def _cells(name: str, cuts: Cuts, coughs: Coughs | None) -> tuple[str, ...]:
    error = spread([abs(error) for error in cuts.errors_ms])
    delay = spread(cuts.clear_delays_ms)
    slips = spread([abs(slip) for slip in coughs.slips_ms]) if coughs else spread([])
    return (
        name,
        str(cuts.barge_ins),
        *(_ms(error[key]) for key in ("p50", "p99", "max")),
        str(cuts.items),
        f"{cuts.right_percent:.4g} %",
        str(cuts.rejected),
        str(cuts.stale_bytes),
        *(_ms(delay[key]) for key in ("p50", "p99")),
        str(coughs.pauses) if coughs else "none",
        _ms(slips["max"]),
    )


def _ms(value: float | None) -> str:
    return "none" if value is None else f"{value:.1f}"


def _worst(values: list[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _is_time(name: str) -> bool:
    return name.startswith(("error", "cough:", "speech_started"))
