"""Gather what a picture of a call shows, all of it by the carrier's clock in ms."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from voicebridge.rehearsal.call_figures import unheard_at_close_ms
from voicebridge.rehearsal.hearing_truth import HeardItem
from voicebridge.rehearsal.phone_log import PhoneLog
from voicebridge.rehearsal.report import Figure, Report
from voicebridge.rehearsal.session_log import SessionLog, ToolCallMade

LONGEST_TOOL_LABEL = 84
KEY_MS, KEY_GAP_MS = 100, 500


class TimedWord(NamedTuple):
    """A word and when it was said; ``heard`` is False for the words behind a cut."""

    text: str
    at_ms: float
    heard: bool = True


@dataclass(frozen=True, slots=True)
class Saying:
    """What one side said in one go."""

    side: Literal["caller", "agent"]
    words: tuple[TimedWord, ...]


class Span(NamedTuple):
    """Something that lasted, with what to call it."""

    start_ms: float
    end_ms: float
    label: str = ""


class Unheard(NamedTuple):
    """Audio that was waiting at the phone when a clear, or the end, took it away."""

    at_ms: float
    audio: bytes


class Chip(NamedTuple):
    """A sign on one side's lane: keys pressed or heard, a tone, a phrase, a verb of the carrier."""

    side: Literal["caller", "agent"]
    start_ms: float
    end_ms: float
    label: str


class MarkTick(NamedTuple):
    """A mark that went back, because it was reached or because of a clear."""

    at_ms: float
    played: bool


@dataclass(frozen=True, slots=True)
class Timeline:
    """A call as a picture shows it."""

    title: str
    subtitle: str
    duration_ms: int
    caller_audio: bytes
    agent_audio: bytes
    sayings: tuple[Saying, ...]
    unheard: tuple[Unheard, ...]
    cuts: tuple[Span, ...]
    tools: tuple[Span, ...]
    noticed: tuple[Span, ...]
    marks: tuple[MarkTick, ...]
    figures: tuple[Figure, ...]
    chips: tuple[Chip, ...] = ()


def make_timeline(title: str, phone: PhoneLog, model: SessionLog, report: Report) -> Timeline:
    """Gather the picture of one call from the logs of both ends and their report."""
    return Timeline(
        title=title,
        subtitle=_subtitle(phone),
        duration_ms=phone.duration_ms,
        caller_audio=bytes(phone.sent_audio),
        agent_audio=bytes(phone.heard_audio),
        sayings=(*_caller_sayings(phone), *_agent_sayings(report.heard)),
        unheard=_unheard(phone),
        cuts=_cuts(phone, report.heard),
        tools=tuple(_tool_span(phone, call) for call in model.tool_calls),
        noticed=_noticed(phone, model),
        marks=tuple(
            MarkTick(mark.echoed_ms, mark.played)
            for mark in phone.marks
            if mark.echoed_ms is not None
        ),
        figures=report.figures,
        chips=(*_keys_pressed(phone), *_verbs(phone), *_other_sounds(report)),
    )


def _subtitle(phone: PhoneLog) -> str:
    parts = [f"{phone.duration_ms / 1000:.1f} s"]
    if phone.ended_by:
        parts.append(f"ended by the {phone.ended_by}")
    if phone.network_delay_ms or phone.jitter_ms:
        jitter = f" + up to {phone.jitter_ms} ms jitter" if phone.jitter_ms else ""
        parts.append(f"network {phone.network_delay_ms} ms each way{jitter}")
    if unheard_at_close_ms(phone):
        parts.append(f"{unheard_at_close_ms(phone):.0f} ms unheard at the end")
    return " · ".join(parts)


def _keys_pressed(phone: PhoneLog) -> list[Chip]:
    """Join the keys that the caller pressed without a pause."""
    chips: list[Chip] = []
    for key in phone.keys:
        end_ms = key.carrier_ms + KEY_MS
        if chips and key.carrier_ms - chips[-1].end_ms <= KEY_GAP_MS:
            last = chips[-1]
            chips[-1] = Chip("caller", last.start_ms, end_ms, last.label + key.digit)
        else:
            chips.append(Chip("caller", key.carrier_ms, end_ms, f"keys {key.digit}"))
    return chips


def _verbs(phone: PhoneLog) -> list[Chip]:
    return [
        Chip("caller", verb.carrier_ms, verb.carrier_ms, verb.text) for verb in phone.verbs_done
    ]


def _other_sounds(report: Report) -> list[Chip]:
    return [
        Chip("agent", sound.start_ms, sound.end_ms, str(sound))
        for sound in report.sounds
        if sound.kind != "words"
    ]


def _caller_sayings(phone: PhoneLog) -> list[Saying]:
    """Spread the words of what the caller said over its time, by their length."""
    sayings = []
    for speech in phone.caller_speech:
        end_ms = phone.duration_ms if speech.end_ms is None else speech.end_ms
        words = speech.text.split()
        letters = sum(len(word) + 1 for word in words) or 1
        timed, before = [], 0
        for word in words:
            at_ms = speech.start_ms + (end_ms - speech.start_ms) * before / letters
            timed.append(TimedWord(word, at_ms))
            before += len(word) + 1
        if timed:
            sayings.append(Saying("caller", tuple(timed)))
    return sayings


def _agent_sayings(heard: Sequence[HeardItem]) -> list[Saying]:
    sayings = []
    for item in heard:
        if item.first_played_ms is None:
            continue
        begin_ms = item.first_played_ms
        words = tuple(
            TimedWord(word.text, begin_ms + word.start_ms, word.end_ms <= item.heard_ms)
            for word in item.item.words
        )
        if words:
            sayings.append(Saying("agent", words))
    return sayings


def _unheard(phone: PhoneLog) -> tuple[Unheard, ...]:
    return tuple(
        Unheard(
            gone.carrier_ms,
            bytes(phone.received_audio[gone.played_received_offset : gone.received_offset]),
        )
        for gone in (*phone.clears, *phone.lost_at_close)
        if gone.dropped_bytes
    )


def _cuts(phone: PhoneLog, heard: Sequence[HeardItem]) -> tuple[Span, ...]:
    """Mark each clear that cut something, with what was heard and what the model was told."""
    spans = []
    for clear in phone.clears:
        cut_here = [item for item in heard if item.cut_by is clear and item.heard_bytes]
        if not clear.dropped_bytes and not cut_here:
            continue
        label = "cut"
        for item in cut_here[:1]:
            told = "not told" if item.told_ms is None else f"told {item.told_ms / 1000:.2f} s"
            label = f"cut: {item.heard_ms / 1000:.2f} s heard, model {told}"
        spans.append(Span(clear.carrier_ms, clear.carrier_ms, label))
    return tuple(spans)


def _tool_span(phone: PhoneLog, call: ToolCallMade) -> Span:
    start_ms = phone.carrier_ms_of(call.at)
    end_ms = start_ms if call.output_at is None else phone.carrier_ms_of(call.output_at)
    arguments = _brief(call.arguments)
    gave = f" → {_brief(call.output)}" if call.output else ""
    label = f"{call.name}({arguments}){gave}"
    if len(label) > LONGEST_TOOL_LABEL:
        label = label[: LONGEST_TOOL_LABEL - 1] + "…"
    return Span(start_ms, end_ms, label)


def _brief(text: str) -> str:
    """Write a JSON object's values as a person would jot them down."""
    try:
        values = json.loads(text)
    except ValueError:
        return " ".join(text.split())
    if not isinstance(values, dict):
        return str(values)
    return ", ".join(
        f"{key} {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for key, value in values.items()
    )


def _noticed(phone: PhoneLog, model: SessionLog) -> tuple[Span, ...]:
    """Tell when the model believed that the caller was speaking."""
    spans = []
    for speech in model.speech:
        start_ms = phone.carrier_ms_of(speech.started_at)
        stopped = speech.stopped_at
        end_ms = phone.duration_ms if stopped is None else phone.carrier_ms_of(stopped)
        if start_ms < phone.duration_ms:
            spans.append(Span(start_ms, min(end_ms, phone.duration_ms)))
    return tuple(spans)
