"""``voicebridge check`` says of a persona's carrier actions what is missing, and where."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from voicebridge.cli.check import run_check

PERSONA = """\
name: Desk
instructions: Answer.
tools: [transfer, send_sms]
destinations:
  dentist:
    number: "+15550100020"
    mode: warm
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "personas").mkdir()
    (tmp_path / "personas" / "desk.yaml").write_text(PERSONA)
    (tmp_path / "voicebridge.yaml").write_text("default_persona: desk\n")
    return tmp_path


def checked(config: Path, **environ: str) -> tuple[int, str]:
    out = io.StringIO()
    return run_check(config, environ, out), out.getvalue()


def test_a_setting_that_is_missing_is_named_with_its_place(config: Path) -> None:
    status, told = checked(config)
    assert status == 1
    assert "desk.yaml:3: tools: the tool 'send_sms' needs a sender; set outbound.sms_from" in told


def test_keys_that_are_missing_are_a_note(config: Path) -> None:
    (config / "voicebridge.yaml").write_text(
        "default_persona: desk\noutbound: {sms_from: '+15550100002'}\n"
    )
    status, told = checked(config)
    assert status == 0
    assert "TWILIO_ACCOUNT_SID" in told
    status, told = checked(config, TWILIO_ACCOUNT_SID="AC1", TWILIO_AUTH_TOKEN="t")
    assert (status, "TWILIO_ACCOUNT_SID" in told) == (0, False)


def test_a_file_that_cannot_be_read_hides_no_tool(config: Path) -> None:
    (config / "voicebridge.yaml").write_text("nonsense: 1\n")
    status, told = checked(config)
    assert status == 1
    assert "send_sms" not in told
