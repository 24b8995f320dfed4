"""One bridge process carries fifty calls at once and loses nothing of any of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from many_calls import CALL_WITHIN_S, SCRIPT, NoiseVoice, caller, nothing_is_lost
from serve_process import serving, write_config

from voicebridge.rehearsal.carrier import SimulatedCarrier
from voicebridge.rehearsal.load import place_many
from voicebridge.rehearsal.realtime_server import RealtimeServer

CALLS = 50


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
    records = serve.records()
    assert (len(records), len(sessions)) == (CALLS, CALLS)
    nothing_is_lost(logs, sessions, records)
