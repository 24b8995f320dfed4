from __future__ import annotations

import pytest
from twilio.twiml.voice_response import Connect as VendorConnect
from twilio.twiml.voice_response import VoiceResponse

from voicebridge.rehearsal import twiml_reader as twiml


def read(body: str) -> twiml.Document:
    return twiml.read_twiml(f"<?xml version='1.0' encoding='UTF-8'?><Response>{body}</Response>")


def test_a_document_of_the_vendors_own_making_is_read() -> None:
    response = VoiceResponse()
    connect = VendorConnect(action="/after", method="GET")
    stream = connect.stream(url="wss://voice.example.com/media", name="agent")
    stream.parameter(name="token", value="a&b<c>\"'")
    response.append(connect)
    response.say("Sorry.")
    response.pause(length=2)
    response.redirect("/next", method="POST")
    response.dial("+15550100009")
    response.play("https://voice.example.com/sorry.wav")
    response.hangup()
    document = twiml.read_twiml(str(response))
    assert document.problems == []
    assert document.verbs == [
        twiml.Connect(
            "wss://voice.example.com/media", {"token": "a&b<c>\"'"}, "agent", "/after", "GET"
        ),
        twiml.Say("Sorry."),
        twiml.Pause(2.0),
        twiml.Redirect("/next"),
        twiml.Dial("+15550100009"),
        twiml.Play("https://voice.example.com/sorry.wav"),
        twiml.Hangup(),
    ]


def test_a_reject_ends_the_call_with_its_reason() -> None:
    assert read("<Reject reason='busy'/>").verbs == [twiml.Hangup("busy")]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("<Gather/>", "12200"),
        ("<Connect/>", "12200"),
        ("<Connect><Room>x</Room></Connect>", "12200"),
        ("<Connect><Stream/></Connect>", "31922"),
        ("<Connect><Stream url='https://a.example/m'/></Connect>", "31922"),
        ("<Connect><Stream url='wss:///m'/></Connect>", "31923"),
        ("<Connect><Stream url='wss://a.example:port/m'/></Connect>", "31923"),
        ("<Connect><Stream url='wss://a.example/m?'/></Connect>", "31920"),
        ("<Connect><Stream url='wss://a.example/m' track='both_tracks'/></Connect>", "31941"),
        ("<Say/>", "13520"),
        ("<Play/>", "13420"),
        ("<Dial/>", "13200"),
        ("<Pause length='long'/>", "12200"),
    ],
)
def test_a_verb_that_cannot_be_carried_out_is_left_out_with_its_code(body: str, code: str) -> None:
    document = read(body + "<Hangup/>")
    assert document.verbs == [twiml.Hangup()]
    assert [problem[:5] for problem in document.problems] == [code]


@pytest.mark.parametrize(
    "parameter",
    ["<Parameter value='x'/>", "<Other name='a'/>", f"<Parameter name='a' value='{'x' * 500}'/>"],
)
def test_a_parameter_the_carrier_would_not_pass_on_is_left_out(parameter: str) -> None:
    document = read(f"<Connect><Stream url='wss://a.example/m'>{parameter}</Stream></Connect>")
    assert document.verbs == [twiml.Connect("wss://a.example/m", {})]
    assert [problem[:5] for problem in document.problems] == ["12200"]


@pytest.mark.parametrize("text", ["", "<Response>", "hello", "<Reply/>", "{}"])
def test_what_is_not_twiml_has_no_verbs(text: str) -> None:
    document = twiml.read_twiml(text)
    assert document.verbs == []
    assert document.problems[0].startswith("12100")
