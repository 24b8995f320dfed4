"""One bridge process carries fifty calls at once and loses nothing of any of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from random import Random

import pytest
from model_harness import WORD_MS, says, tone
from serve_process import serving, write_config

from voicebridge.rehearsal.behaviour import ScriptedCaller
from voicebridge.rehearsal.carrier import SimulatedCarrier
from voicebridge.rehearsal.load import place_many, sum_up
from voicebridge.rehearsal.phone_log import PhoneLog
from voicebridge.rehearsal.realtime_server import RealtimeServer
from voicebridge.rehearsal.report import make_report
from voicebridge.rehearsal.session_log import SessionLog
from voicebridge.rehearsal.steps import CallerStep
from voicebridge.rehearsal.voice import Speech, Word

CALLS = 50
CALL_WITHIN_S = 40.0
EXACT = (
    "frames lost caller to model",
    "frames altered caller to model",
    "frames lost model to caller",
    "rejected truncates",
    "protocol violations",
    "errors",
)
"""The figures of the report that say whether anything was lost; none depends on the machine."""


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
    own = bytes([number]) * 160  # a frame that no other call has, on its way like any other
    question = Speech("question", own + tone(600), ())
    barge_in = Speech("barge-in", own + tone(800, hz=300), ())
    return ScriptedCaller(
        [
            (CallerStep(say="question", after_agent_ms=300), question),
            (CallerStep(say="barge-in", into_agent_ms=600), barge_in),
            (CallerStep(hang_up=True, after_agent_ms=300), None),
        ]
    )


SCRIPT = says("Good day to you.", " ".join(["answer"] * 20), "Good bye now.")


@pytest.mark.xdist_group("load")
async def test_fifty_calls_at_once_lose_nothing_in_either_direction(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    async with RealtimeServer(SCRIPT, NoiseVoice()) as model:
        environment = {
            "TWILIO_AUTH_TOKEN": "token",
            "OPENAI_API_KEY": "key",
            "VOICEBRIDGE_REALTIME_URL": model.url,
        }
        async with serving(config, environment=environment) as serve:
            carrier = SimulatedCarrier(serve.url + "/twilio/voice", auth_token="token")
            logs = await place_many(
                CALLS, carrier, caller, deadline_s=CALL_WITHIN_S, stagger_s=0.02
            )
            serve.terminate()
            code, _, said = await serve.end()
        sessions = [session.log for session in model.sessions]
    assert code == 0
    assert "Traceback" not in said
    summary = sum_up(logs)
    assert summary.ended_by == {"caller": CALLS}
    assert (summary.connected, summary.violations, summary.errors) == (CALLS, 0, ())
    for phone, session in paired(logs, sessions):
        report = make_report(phone, session)
        assert {name: report.figure(name).value for name in EXACT} == dict.fromkeys(EXACT, 0)
        assert len(phone.clears) == len(session.truncates) == 1
        assert bytes(phone.sent_audio).startswith(bytes(session.appended))
        assert session.closed_at is not None
    records = {record["call_id"]: record for record in serve.records()}
    assert len(records) == CALLS
    for phone in logs:
        record = records[phone.call_sid]
        assert (record["ended"], record["problems"]) == ("caller_hung_up", [])
        assert len(record["barge_ins_ms"]) == 1
        assert record["frames_received"] == record["frames_forwarded"]


def paired(
    logs: Sequence[PhoneLog], sessions: Sequence[SessionLog]
) -> list[tuple[PhoneLog, SessionLog]]:
    """Find the session of each phone by the frame that only its caller sends."""
    assert len(sessions) == CALLS
    pairs = [
        (phone, session)
        for number, phone in enumerate(logs)
        for session in sessions
        if bytes([number]) * 160 in session.appended
    ]
    assert len(pairs) == CALLS
    return pairs
