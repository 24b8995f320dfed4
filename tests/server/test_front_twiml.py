"""Our TwiML is what the carrier's own package writes for the same wishes."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.twiml.voice_response import Connect, VoiceResponse

from voicebridge.carriers import twilio
from voicebridge.cli.main import main
from voicebridge.cli.twiml import APOLOGY
from voicebridge.rehearsal.twiml_reader import read_twiml

STREAM = "wss://bridge.example.com/twilio/media"
AFTER = "https://bridge.example.com/twilio/after-stream?a=1&b=%22x%22"
STATUS = "https://bridge.example.com/twilio/stream-status"
WORDS = 'Süd & Söhne <"we\'re" open> \U0001f600'
NUMBER, OURS = "+15550100099", "+15550100002"


def canonical(document: str) -> str:
    assert document.startswith('<?xml version="1.0" encoding="UTF-8"?>')
    return ElementTree.canonicalize(document)


def connected(**stream: str) -> VoiceResponse:
    response, connect = VoiceResponse(), Connect()
    noun = connect.stream(url=STREAM, **stream)
    noun.parameter(name="token", value=WORDS)
    noun.parameter(name="x", value="")
    response.append(connect)
    response.redirect(AFTER, method="POST")
    return response


def dialled(say: str | None = None, **dial: object) -> VoiceResponse:
    response = VoiceResponse()
    if say:
        response.say(say)
    response.dial(**dial).number(NUMBER)
    return response


def hung_up(say: str | None = None) -> VoiceResponse:
    response = VoiceResponse()
    if say:
        response.say(say)
    response.hangup()
    return response


def busy() -> VoiceResponse:
    response = VoiceResponse()
    response.reject(reason="busy")
    return response


def asked() -> VoiceResponse:
    response = VoiceResponse()
    gather = response.gather(num_digits=1, timeout=8, action=AFTER, method="POST")
    gather.say(WORDS, language="de")
    response.hangup()
    return response


def joined() -> VoiceResponse:
    response = VoiceResponse()
    dial = response.dial(action=AFTER, method="POST")
    dial.conference(
        "room", start_conference_on_enter=True, end_conference_on_exit=True, beep="false"
    )
    return response


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda: twilio.twiml_connect(STREAM, {"token": WORDS, "x": ""}, AFTER), connected),
        (
            lambda: twilio.twiml_connect(STREAM, {"token": WORDS, "x": ""}, AFTER, STATUS),
            lambda: connected(status_callback=STATUS, status_callback_method="POST"),
        ),
        (twilio.twiml_hang_up, hung_up),
        (lambda: twilio.twiml_hang_up(WORDS), lambda: hung_up(WORDS)),
        (lambda: twilio.twiml_dial(NUMBER), lambda: dialled(timeout=20)),
        (
            lambda: twilio.twiml_dial(NUMBER, say=WORDS, caller_id=OURS, action_url=AFTER),
            lambda: dialled(WORDS, caller_id=OURS, action=AFTER, timeout=20),
        ),
        (twilio.twiml_busy, busy),
        (lambda: twilio.twiml_ask(WORDS, AFTER, language="de"), asked),
        (lambda: twilio.twiml_join("room", AFTER), joined),
    ],
    ids=["connect", "connect with status", "hang up", "say and hang up", "dial",
         "say and dial", "busy", "ask", "join"],
)  # fmt: skip
def test_a_document_is_the_one_that_the_carriers_package_writes(
    ours: Callable[[], str], theirs: Callable[[], VoiceResponse]
) -> None:
    assert canonical(ours()) == canonical(str(theirs()))
    assert read_twiml(ours()).problems == []


def test_every_kind_of_document_is_judged() -> None:
    kinds = {name for name in vars(twilio) if name.startswith("twiml_")}
    judged = {
        "twiml_connect",
        "twiml_hang_up",
        "twiml_dial",
        "twiml_busy",
        "twiml_ask",
        "twiml_join",
    }
    assert kinds == judged


@pytest.mark.parametrize(
    ("arguments", "theirs"),
    [
        ([], lambda: hung_up(APOLOGY)),
        (["--say", WORDS], lambda: hung_up(WORDS)),
        (["--dial", "+1 555 0100099"], lambda: dialled(APOLOGY, timeout=20)),
    ],
    ids=["apology", "words", "person"],
)
def test_the_fallback_document_is_one_too(
    capsys: pytest.CaptureFixture[str], arguments: list[str], theirs: Callable[[], VoiceResponse]
) -> None:
    assert main(["twiml", "fallback", *arguments]) == 0
    assert canonical(capsys.readouterr().out.rstrip("\n")) == canonical(str(theirs()))


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_whatever_is_to_be_said_is_a_document_that_can_be_read(words: str) -> None:
    document = ElementTree.fromstring(twilio.twiml_hang_up(words).encode())
    assert [verb.tag for verb in document][-1] == "Hangup"
