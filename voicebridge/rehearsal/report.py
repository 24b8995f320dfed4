"""Judge a rehearsal: the figures that matter, each against its bar."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace

from voicebridge.rehearsal import call_figures
from voicebridge.rehearsal.actions import Action, Sound
from voicebridge.rehearsal.hearing_truth import Cut, HeardItem, cuts, hearing_truth
from voicebridge.rehearsal.phone_log import PhoneLog
from voicebridge.rehearsal.session_log import SessionLog


@dataclass(frozen=True, slots=True)
class Bars:
    """The most that a good call may have of each; times in ms, None for no bar."""

    heard_error_ms: float | None = 60
    rejected_truncates: float | None = 0
    stale_ms: float | None = 0
    frames_lost: float | None = 0
    clear_delay_ms: float | None = 20
    violations: float | None = 0
    errors: float | None = 0
    unheard_goodbye_ms: float | None = 0
    first_audio_ms: float | None = None
    answer_delay_ms: float | None = None
    silence_ms: float | None = None


def number(value: float | None) -> str:
    """Write a figure's value without its unit: whole from ten on, else to a tenth."""
    if value is None:
        return "none"
    return f"{value:.0f}" if value == round(value) or value >= 10 else f"{value:.1f}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the report; ``value`` is None when the call gave nothing to measure.

    ``bar`` is the most that is still good; ``ok`` is None where there is no bar or no value.
    """

    name: str
    value: float | None
    unit: str
    bar: float | None = None

    @property
    def ok(self) -> bool | None:
        """Tell whether the value keeps to its bar."""
        if self.value is None or self.bar is None:
            return None
        return self.value <= self.bar

    @property
    def shown(self) -> str:
        """Write the value with its unit, as exactly as a reader wants it."""
        return f"{number(self.value)} {self.unit if self.value is not None else ''}".rstrip()


@dataclass(frozen=True, slots=True)
class Report:
    """A rehearsed call, judged; ``heard`` and ``cuts`` are the truth behind the figures.

    ``actions`` are what the agent did besides speaking, ``missed`` what was expected otherwise.
    """

    figures: tuple[Figure, ...]
    cuts: tuple[Cut, ...] = ()
    answer_delays_ms: tuple[float, ...] = ()
    errors: tuple[str, ...] = ()
    heard: tuple[HeardItem, ...] = field(default=(), repr=False)
    actions: tuple[Action, ...] = ()
    sounds: tuple[Sound, ...] = ()
    missed: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Tell whether no figure breaks its bar."""
        return all(figure.ok is not False for figure in self.figures)

    def figure(self, name: str) -> Figure:
        """Give the figure called ``name``; KeyError when there is none."""
        return {figure.name: figure for figure in self.figures}[name]

    def as_dict(self) -> dict[str, object]:
        """Give figures, cuts, actions, what was heard, delays and errors as plain data."""
        return {
            "ok": self.ok,
            "figures": [{**asdict(figure), "ok": figure.ok} for figure in self.figures],
            "cuts": [asdict(cut) for cut in self.cuts],
            "actions": [action.as_dict() for action in self.actions],
            "heard": [asdict(sound) for sound in self.sounds],
            "missed": list(self.missed),
            "answer_delays_ms": list(self.answer_delays_ms),
            "errors": list(self.errors),
        }

    def acted(self, actions: Sequence[Action], sounds: Sequence[Sound]) -> Report:
        """Return the report with what the agent did, and all that was heard."""
        return replace(self, actions=tuple(actions), sounds=tuple(sounds))

    def expected(self, missed: Sequence[str]) -> Report:
        """Return the report with what was expected otherwise; a single such line breaks it."""
        figure = Figure("expectations missed", len(missed), "", 0)
        return replace(self, figures=(*self.figures, figure), missed=tuple(missed))

    def to_json(self) -> str:
        """Write the report as indented JSON."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False)


def make_report(phone: PhoneLog, model: SessionLog, bars: Bars | None = None) -> Report:
    """Judge one call from the logs of both ends."""
    bars = bars or Bars()
    heard = hearing_truth(phone, model)
    cut_items = cuts(heard, model)
    answers = call_figures.answer_delays_ms(phone)
    errors = [*phone.errors, *(f"{sent.code}: {sent.message}" for sent in model.errors_sent)]
    figures = (
        *_waiting(phone, answers, bars),
        *_barge_in(phone, model, bars),
        *_hearing(heard, cut_items, model, bars),
        *_transport(phone, model, heard, bars),
        Figure("errors", len(errors), "", bars.errors),
    )
    return Report(
        tuple(figures), tuple(cut_items), tuple(answers), tuple(errors), heard=tuple(heard)
    )


def _waiting(phone: PhoneLog, answers: Sequence[float], bars: Bars) -> list[Figure]:
    return [
        Figure(
            "time to first audio",
            _rounded(call_figures.first_audio_ms(phone)),
            "ms",
            bars.first_audio_ms,
        ),
        Figure("answer delay, median", _median(answers), "ms"),
        Figure("answer delay, longest", _most(answers), "ms", bars.answer_delay_ms),
    ]


def _barge_in(phone: PhoneLog, model: SessionLog, bars: Bars) -> list[Figure]:
    silences = call_figures.silenced_after_ms(phone)
    clears = call_figures.clear_delays_ms(phone, model)
    return [
        Figure("barge-in to silence", _most(silences), "ms", bars.silence_ms),
        Figure("clear after speech_started", _most(clears), "ms", bars.clear_delay_ms),
    ]


def _hearing(
    heard: Sequence[HeardItem], cut_items: Sequence[Cut], model: SessionLog, bars: Bars
) -> list[Figure]:
    error = _most([cut.error_ms for cut in cut_items])
    rejected = sum(not truncate.accepted for truncate in model.truncates)
    stale_ms = sum(item.stale_bytes for item in heard) / 8
    return [
        Figure("heard-position error", error, "ms", bars.heard_error_ms),
        Figure("rejected truncates", rejected, "", bars.rejected_truncates),
        Figure("cut reply played after clear", stale_ms, "ms", bars.stale_ms),
    ]


def _transport(
    phone: PhoneLog, model: SessionLog, heard: Sequence[HeardItem], bars: Bars
) -> list[Figure]:
    to_model = call_figures.frames_to_model(phone, model)
    to_caller = call_figures.frames_to_caller_lost(heard, phone, model)
    unheard = call_figures.unheard_at_close_ms(phone)
    by_bridge = phone.ended_by == "bridge"
    goodbye_bar = bars.unheard_goodbye_ms if by_bridge else None
    return [
        Figure("frames lost caller to model", to_model.lost, "", bars.frames_lost),
        Figure("frames altered caller to model", to_model.altered, "", bars.frames_lost),
        Figure("frames in flight at hang-up", to_model.in_flight, ""),
        Figure("frames lost model to caller", to_caller, "", bars.frames_lost),
        Figure("unheard when the line closed", unheard, "ms", goodbye_bar),
        Figure("protocol violations", phone.violation_count, "", bars.violations),
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _most(values: Sequence[float]) -> float | None:
    return round(max(values), 1) if values else None


def _median(values: Sequence[float]) -> float | None:
    return round(statistics.median(values), 1) if values else None
