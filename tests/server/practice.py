"""A practice whose agent may have the carrier do things: its configuration, and what is called."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from voicebridge.rehearsal.steps import AgentStep

sys.path.insert(0, str(Path(__file__).parent.parent / "outbound"))

from fake_twilio import ACCOUNT, FakeTwilio
from server_office import AUTH_TOKEN

DESK = """\
name: Desk
instructions: Answer.
greeting: {instructions: Say hello.} # in words of its own, so that it is not kept
tools: [transfer, send_sms]
destinations:
  dentist: {number: "+15550100020", mode: warm, ring_s: 12}
recipients: {dentist: "+15550100021"}
"""
TRANSFER = AgentStep(
    say="I try the dentist.",
    call="transfer",
    arguments={"destination": "dentist", "summary": "Anna <Berg> & a tooth ache."},
)
COLLEAGUE = "CA" + "0" * 31 + "1"


def written(folder: Path, twilio_url: str, persona: str = DESK, **outbound: object) -> Path:
    """Write a configuration."""
    config = folder / "config"
    (config / "personas").mkdir(parents=True)
    (config / "personas" / "desk.yaml").write_text(persona)
    settings = {
        "default_persona": "desk",
        "server": {"port": 0, "shutdown_grace_s": 0},
        "records": {"directory": str(folder / "calls")},
        "outbound": {"api_url": twilio_url, **outbound},
    }
    (config / "voicebridge.yaml").write_text(json.dumps(settings))
    return config


def environment(model_url: str = "ws://127.0.0.1:1/") -> dict[str, str]:
    return {
        "VOICEBRIDGE_REALTIME_URL": model_url,
        "OPENAI_API_KEY": "k",
        "TWILIO_ACCOUNT_SID": ACCOUNT,
        "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
    }


__all__ = ["ACCOUNT", "COLLEAGUE", "DESK", "TRANSFER", "FakeTwilio", "environment", "written"]
