"""Calls that come in crowds, and the proof that none of them lost anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from random import Random
from typing import Any

from model_harness import WORD_MS, says, tone

from voicebridge.audio.format import silence
from voicebridge.rehearsal.behaviour import ScriptedCaller
from voicebridge.rehearsal.load import sum_up
from voicebridge.rehearsal.phone_log import PhoneLog
from voicebridge.rehearsal.report import make_report
from voicebridge.rehearsal.session_log import SessionLog
from voicebridge.rehearsal.steps import CallerStep
from voicebridge.rehearsal.voice import Speech, Word

CALL_WITHIN_S = 40.0
EXACT = ("frames lost model to caller", "rejected truncates", "protocol violations", "errors")
"""The figures of the report that say whether anything was lost; none depends on the machine."""

EXACT_IF_UNFILLED = ("frames lost caller to model", "frames altered caller to model")
"""Those that hold as well where the phones were never so late that silence stood in for them."""


class NoiseVoice:
    """A voice whose every frame is like no other, so that a lost one cannot hide."""

    @cache  # noqa: B019 - one voice for the length of one test
    def speak(self, text: str) -> Speech:
        words = tuple(
            Word(word, index * WORD_MS, (index + 1) * WORD_MS)
            for index, word in enumerate(text.split())
        )
        return Speech(text, Random(text).randbytes(len(words) * WORD_MS * 8), words)


def caller(number: int) -> ScriptedCaller:
    """Listen to the greeting, ask, break into the answer, hear the last one, hang up."""
    own = own_frame(number)
    question = Speech("question", own + tone(600), ())
    barge_in = Speech("barge-in", own + tone(800, hz=300), ())
    return ScriptedCaller(
        [
            (CallerStep(say="question", after_agent_ms=700), question),
            (CallerStep(say="barge-in", into_agent_ms=600), barge_in),
            (CallerStep(hang_up=True, after_agent_ms=1000), None),
        ]
    )


SCRIPT = says("Good day to you.", " ".join(["answer"] * 20), "Good bye now.")


def nothing_is_lost(
    logs: Sequence[PhoneLog], sessions: Sequence[SessionLog], records: Sequence[Mapping[str, Any]]
) -> None:
    """Make sure that these calls went to their end and were whole, in both directions."""
    summary = sum_up(logs)
    assert summary.ended_by == {"caller": len(logs)}
    assert (summary.connected, summary.violations, summary.errors) == (len(logs), 0, ())
    by_call = {record["call_id"]: record for record in records}
    for phone, session in paired(logs, sessions):
        record = by_call[phone.call_sid]
        assert (record["ended"], record["problems"]) == ("caller_hung_up", [])
        assert record["frames_received"] == phone.frames_sent
        assert len(record["barge_ins_ms"]) == len(phone.clears) == len(session.truncates) == 1
        assert session.closed_at is not None
        filled_ms = silence_put_in_ms(bytes(phone.sent_audio), bytes(session.appended))
        assert filled_ms <= record["silence_filled_ms"]
        names = EXACT if filled_ms else EXACT + EXACT_IF_UNFILLED
        report = make_report(phone, session)
        assert {name: report.figure(name).value for name in names} == dict.fromkeys(names, 0)


def silence_put_in_ms(sent: bytes, appended: bytes) -> int:
    """Make sure that all frames arrived, whole and in order; return what was put between them.

    A phone that falls behind on a busy machine looks like a carrier that sends nothing, and the
    bridge gives the model silence meanwhile. Nothing but silence may be put in, and the frames
    missing at the end are those that were under way when the caller hung up.
    """
    filled = arrived = 0
    frames = [sent[at : at + 160] for at in range(0, len(sent), 160)]
    for at in range(0, len(appended), 160):
        frame = appended[at : at + 160]
        if arrived < len(frames) and frame == frames[arrived]:
            arrived += 1
        else:
            assert frame == silence(160), f"frame {at // 160} is not frame {arrived} of the caller"
            filled += 1
    assert set(frames[arrived:]) <= {silence(160)}, "words of the caller are missing"
    return filled * 20


def own_frame(number: int) -> bytes:
    """Return the frame that the caller with this number says, and no other."""
    return bytes([number]) * 160


def paired(
    logs: Sequence[PhoneLog], sessions: Sequence[SessionLog]
) -> list[tuple[PhoneLog, SessionLog]]:
    """Find the session of each phone by the frame that only its caller sends."""
    pairs = [
        (phone, session)
        for phone in logs
        for session in sessions
        if own_frame_of(phone) in session.appended
    ]
    assert len(pairs) == len(logs)
    return pairs


def own_frame_of(phone: PhoneLog) -> bytes:
    """Find the frame that nobody else says in what a phone has sent."""
    sent = bytes(phone.sent_audio)
    frames = {sent[at : at + 160] for at in range(0, len(sent), 160)} - {silence(160)}
    (own,) = (frame for frame in frames if len(set(frame)) == 1)
    return own
