from __future__ import annotations

import pytest
from twilio.twiml.voice_response import Connect as VendorConnect
from twilio.twiml.voice_response import Dial as VendorDial
from twilio.twiml.voice_response import Gather, VoiceResponse

from voicebridge.rehearsal import twiml_reader as twiml
from voicebridge.rehearsal import twiml_verbs as verbs
from voicebridge.rehearsal.twiml_verbs import Pause, Say


def read(body: str) -> verbs.Document:
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
        verbs.Connect(
            "wss://voice.example.com/media", {"token": "a&b<c>\"'"}, "agent", "/after", "GET"
        ),
        verbs.Say("Sorry."),
        verbs.Pause(2.0),
        verbs.Redirect("/next"),
        verbs.Dial("+15550100009"),
        verbs.Play("https://voice.example.com/sorry.wav"),
        verbs.Hangup(),
    ]


def test_a_reject_ends_the_call_with_its_reason() -> None:
    assert read("<Reject reason='busy'/>").verbs == [verbs.Hangup("busy")]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("<Prompt/>", "12200"),
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
    assert document.verbs == [verbs.Hangup()]
    assert [problem[:5] for problem in document.problems] == [code]


@pytest.mark.parametrize(
    "parameter",
    ["<Parameter value='x'/>", "<Other name='a'/>", f"<Parameter name='a' value='{'x' * 500}'/>"],
)
def test_a_parameter_the_carrier_would_not_pass_on_is_left_out(parameter: str) -> None:
    document = read(f"<Connect><Stream url='wss://a.example/m'>{parameter}</Stream></Connect>")
    assert document.verbs == [verbs.Connect("wss://a.example/m", {})]
    assert [problem[:5] for problem in document.problems] == ["12200"]


@pytest.mark.parametrize("text", ["", "<Response>", "hello", "<Reply/>", "{}"])
def test_what_is_not_twiml_has_no_verbs(text: str) -> None:
    document = twiml.read_twiml(text)
    assert document.verbs == []
    assert document.problems[0].startswith("12100")


def test_a_gather_of_the_vendors_own_making_is_read() -> None:
    response = VoiceResponse()
    gather = Gather(num_digits=1, timeout=8, action="/key", method="POST")
    gather.say("A toothache. Press 1.", language="en-US")
    gather.pause(length=1)
    response.append(gather)
    response.record(action="/message", max_length=60, play_beep=True)
    document = twiml.read_twiml(str(response))
    assert document.problems == []
    prompts = (Say("A toothache. Press 1."), Pause(1.0))
    assert document.verbs == [
        verbs.Gather(prompts, "/key", "POST", 1),
        verbs.Record("/message"),
    ]
    assert str(document.verbs[0]) == "Gather A toothache. Press 1."


def test_a_conference_of_the_vendors_own_making_is_read() -> None:
    response = VoiceResponse()
    dial = VendorDial(action="/done")
    dial.conference(
        "room", start_conference_on_enter=False, end_conference_on_exit=True, beep="false"
    )
    response.append(dial)
    document = twiml.read_twiml(str(response))
    assert document.problems == []
    room = verbs.Conference("room", starts=False, ends=True)
    assert document.verbs == [verbs.Dial(room, "/done")]
    assert str(document.verbs[0]) == "Dial conference room"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("<Say voise='alice'>x</Say>", "<Say> has no attribute 'voise'"),
        ("<Hangup reason='busy'/>", "<Hangup> has no attribute 'reason'"),
        ("<Dial time='20'><Number>+15550100009</Number></Dial>", "<Dial> has no attribute 'time'"),
        ("<Dial><Number Url='x'>+15550100009</Number></Dial>", "<Number> has no attribute 'Url'"),
        ("<Dial timeout='soon'>+15550100009</Dial>", "<Dial timeout='soon'> cannot be used"),
        ("<Dial callerId='me'>+15550100009</Dial>", "<Dial callerId='me'> cannot be used"),
        ("<Reject reason='later'/>", "<Reject reason='later'> cannot be used"),
        ("<Redirect method='PUT'>/x</Redirect>", "<Redirect method='PUT'> cannot be used"),
        ("<Dial><Conference ends='true'>r</Conference></Dial>", "has no attribute 'ends'"),
        ("<Gather digits='1'/>", "<Gather> has no attribute 'digits'"),
        (
            "<Connect><Stream url='wss://a.example/m' statusCallBack='x'/></Connect>",
            "<Stream> has no attribute 'statusCallBack'",
        ),
    ],
)
def test_an_attribute_that_the_carrier_does_not_know_is_told(body: str, told: str) -> None:
    (problem,) = read(body).problems
    assert problem.startswith("12200: ")
    assert told in problem


@pytest.mark.parametrize("number", ["0800 1234", "sip:me@example.com", "+0155", "15550100009"])
def test_a_number_that_is_not_international_is_not_dialled(number: str) -> None:
    document = read(f"<Dial><Number>{number}</Number></Dial>")
    assert document.verbs == []
    assert document.problems[0].startswith("13223")


def test_of_a_dial_this_carrier_takes_one_noun() -> None:
    document = read("<Dial><Sip>sip:me@example.com</Sip></Dial><Dial><Number>+15550100009</Number>"
                    "<Number>+15550100010</Number></Dial>")  # fmt: skip
    assert document.verbs == []
    assert [problem[:5] for problem in document.problems] == ["12200", "12200"]
