"""``voicebridge dial`` and ``voicebridge twiml``, as they are typed."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from voicebridge.cli import dial
from voicebridge.cli.main import main
from voicebridge.rehearsal.twiml_reader import read_twiml
from voicebridge.server import after, paths


def test_the_fallback_document_is_one_that_the_carrier_reads(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["twiml", "fallback"]) == 0
    document = read_twiml(capsys.readouterr().out.strip())
    assert document.problems == []
    assert [str(verb) for verb in document.verbs] == [f"Say {after.APOLOGY}", "Hangup"]


def test_the_fallback_document_may_dial_somebody(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["twiml", "fallback", "--say", "A & B", "--dial", "+1 555 0100055"]) == 0
    root = ElementTree.fromstring(capsys.readouterr().out.strip())
    assert [(verb.tag, verb.findtext("Number") or verb.text) for verb in root] == [
        ("Say", "A & B"),
        ("Dial", "+15550100055"),
    ]


def test_what_is_no_number_is_not_dialled(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["twiml", "fallback", "--dial", "nobody"]) == 2
    assert "--dial" in capsys.readouterr().err


CONFIG = str(Path(__file__).parents[2] / "config")
ARGUMENTS = ["dial", "--to", "+1", "--persona", "p", "--config", CONFIG]


def test_dialling_takes_the_token(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VOICEBRIDGE_API_TOKEN", raising=False)
    assert main(ARGUMENTS) == 2
    assert "VOICEBRIDGE_API_TOKEN" in capsys.readouterr().err


@pytest.mark.parametrize(("status", "code"), [(201, 0), (403, 1), (500, 1)])
def test_the_command_asks_the_bridge_and_tells_its_answer(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, status: int, code: int
) -> None:
    asked: list[object] = []
    answer = {201: {"call_id": "CA1"}, 403: {"message": "quiet"}, 500: {}}[status]

    async def ask(*arguments: object) -> tuple[int, object]:
        asked.extend(arguments)
        return status, answer

    monkeypatch.setenv("VOICEBRIDGE_API_TOKEN", "t0ken")
    monkeypatch.setattr(dial, "ask", ask)
    assert main([*ARGUMENTS, "--consent", "--param", "a=b=c"]) == code
    body = {"to": "+1", "persona": "p", "consent": True, "params": {"a": "b=c"}}
    assert asked == ["http://127.0.0.1:8080/calls", "t0ken", body]
    out, err = capsys.readouterr()
    told = {201: "CA1", 403: "quiet", 500: "answered 500"}[status]
    assert told in (out if code == 0 else err)
    assert "t0ken" not in out + err


def test_a_parameter_without_a_value_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICEBRIDGE_API_TOKEN", "t0ken")
    assert main([*ARGUMENTS, "--param", "a"]) == 2


def test_the_light_commands_agree_with_the_server() -> None:
    from voicebridge.cli.twiml import APOLOGY

    assert (APOLOGY, dial.CALLS_PATH) == (after.APOLOGY, paths.CALLS_PATH)
