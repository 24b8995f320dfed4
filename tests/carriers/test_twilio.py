"""Twilio's wire text, read and written; judged by recordings and the vendor's own package."""

import base64
import contextlib
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from voicebridge.carriers import base, twilio
from voicebridge.errors import CarrierProtocolError

RECORDED = Path(__file__).parent.parent / "recorded" / "twilio"


def recorded(name: str) -> str:
    return (RECORDED / f"{name}.json").read_text()


def test_a_recorded_stream_is_read_message_by_message() -> None:
    payload = json.loads(recorded("media"))["media"]["payload"]
    assert [twilio.decode(line) for line in map(recorded, ("connected", "start", "media"))] == [
        base.Connected(),
        base.Started(
            "MZ00000000000000000000000000000001",
            "CA00000000000000000000000000000001",
            "AC00000000000000000000000000000001",
            {"token": "one-time-secret", "persona": "front-desk"},
        ),
        base.Media(payload, 5),
    ]
    assert [twilio.decode(line) for line in map(recorded, ("dtmf", "mark", "stop"))] == [
        base.Pressed("1"),
        base.Marked("resp-3:1500"),
        base.Stopped(),
    ]


def test_an_event_of_tomorrow_is_passed_over() -> None:
    assert twilio.decode('{"event":"weather"}') == base.Unknown("weather")
    assert isinstance(twilio.decode("{}"), base.Unknown)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("not json", "not JSON"),
        ("[]", "not a JSON object"),
        ('{"event":"media"}', "without its media object"),
        ('{"event":"media","media":{"payload":1,"timestamp":"0"}}', "media.payload"),
        ('{"event":"media","media":{"payload":"a b=","timestamp":"0"}}', "not base64"),
        ('{"event":"media","media":{"payload":"/w","timestamp":"0"}}', "not base64"),
        ('{"event":"media","media":{"payload":"","timestamp":"0"}}', "empty"),
        ('{"event":"media","media":{"payload":"/w==","timestamp":"-1"}}', "media.timestamp"),
        ('{"event":"media","media":{"payload":"/w==","timestamp":"٣"}}', "media.timestamp"),
        ('{"event":"media","media":{"payload":"/w==","timestamp":"1234567890123"}}', "timestamp"),
        ('{"event":"mark","mark":{}}', "mark.name"),
        ('{"event":"dtmf","dtmf":{"digit":"one"}}', "not a key"),
    ],
)
def test_a_bad_message_is_told_by_its_field(text: str, told: str) -> None:
    with pytest.raises(CarrierProtocolError, match=told) as caught:
        twilio.decode(text)
    assert not isinstance(caught.value, base.StreamRefused)


@pytest.mark.parametrize(
    "change",
    [
        {"mediaFormat": {"encoding": "audio/x-alaw", "sampleRate": 8000, "channels": 1}},
        {"mediaFormat": None},
        {"customParameters": []},
        {"streamSid": ""},
        {"callSid": None},
    ],
)
def test_a_start_that_cannot_be_served_refuses_the_stream(change: dict[str, object]) -> None:
    message = json.loads(recorded("start"))
    message["start"] |= change
    with pytest.raises(base.StreamRefused):
        twilio.decode(json.dumps(message))


@given(st.text() | st.from_type(dict).map(str))
def test_any_text_is_a_message_or_a_protocol_error(text: str) -> None:
    with contextlib.suppress(CarrierProtocolError):
        twilio.decode(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(
    st.sampled_from(["connected", "start", "media", "dtmf", "mark", "stop"]),
    st.dictionaries(st.sampled_from(["start", "media", "dtmf", "mark", "stop", "event"]), JSON),
)
def test_any_shape_is_a_message_or_a_protocol_error(event: str, body: dict[str, object]) -> None:
    with contextlib.suppress(CarrierProtocolError):
        twilio.decode(json.dumps({"event": event} | body))


@given(st.binary(min_size=1, max_size=2000))
def test_audio_is_written_unaltered(audio: bytes) -> None:
    message = json.loads(twilio.encode_audio("MZ1", audio))
    assert message.keys() == {"event", "streamSid", "media"}
    assert message["media"].keys() == {"payload"}
    assert base64.b64decode(message["media"]["payload"]) == audio


def test_marks_and_clears_have_exactly_the_fields_the_carrier_allows() -> None:
    assert json.loads(twilio.encode_mark("MZ1", 'a"b')) == {
        "event": "mark",
        "streamSid": "MZ1",
        "mark": {"name": 'a"b'},
    }
    assert json.loads(twilio.encode_clear("MZ1")) == {"event": "clear", "streamSid": "MZ1"}


def test_the_answer_connects_and_has_a_tail() -> None:
    parameters = {"token": '<&">', "persona": "front-desk"}
    text = twilio.twiml_connect("wss://x.example/media", parameters, "https://x.example/a?b=1&c=2")
    response = ElementTree.fromstring(text)
    assert [verb.tag for verb in response] == ["Connect", "Redirect"]
    stream = response[0][0]
    assert stream.attrib == {"url": "wss://x.example/media"}
    assert {p.attrib["name"]: p.attrib["value"] for p in stream} == parameters
    assert response[1].text == "https://x.example/a?b=1&c=2"


def test_the_other_answers_are_what_they_say() -> None:
    assert [v.tag for v in ElementTree.fromstring(twilio.twiml_hang_up("Sorry & bye"))] == [
        "Say",
        "Hangup",
    ]
    assert [v.tag for v in ElementTree.fromstring(twilio.twiml_hang_up())] == ["Hangup"]
    assert ElementTree.fromstring(twilio.twiml_busy())[0].attrib == {"reason": "busy"}


def test_the_published_signatures_come_out() -> None:
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675310",
        "Digits": "1234",
        "From": "+14158675310",
        "To": "+18005551212",
    }
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert twilio.signature("12345", url, form.items()) == "GvWf1cFY/Q7PnoempGyD5oXAezc="
    handshake = twilio.signature("12345", "wss://voice.example.com/media")
    assert handshake == "jFDHVhI8XO69C49uXR3xmdZPylY="


@given(
    st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1),
    st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=12), max_size=6),
)
def test_the_vendors_validator_signs_alike(token: str, form: dict[str, str]) -> None:
    form = {
        k.encode("utf-8", "ignore").decode(): v.encode("utf-8", "ignore").decode()
        for k, v in form.items()
    }
    url = "https://voice.example.com/twilio/voice"
    ours = twilio.signature(token, url, form.items())
    assert RequestValidator(token).compute_signature(url, form) == ours
    assert twilio.is_signed(token, url, form.items(), ours)
    assert not twilio.is_signed(token + "x", url, form.items(), ours)
    assert not twilio.is_signed(token, url, form.items(), None)
    assert not twilio.is_signed(token, url, form.items(), "ünsigned")
