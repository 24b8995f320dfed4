"""The fast reading of a frame says what the general one says, on every text."""

import base64
import json

from hypothesis import example, given
from hypothesis import strategies as st

from voicebridge.carriers import twilio
from voicebridge.carriers.base import Media
from voicebridge.errors import CarrierProtocolError

PLAIN = (
    '{"event":"media","sequenceNumber":"4","media":{"track":"inbound","chunk":"2",'
    '"timestamp":"25","payload":"/38="},"streamSid":"MZ0"}'
)

numbers = st.one_of(st.integers(0, 10**13).map(str), st.text(max_size=4), st.just("٣"))
payloads = st.one_of(
    st.binary(max_size=300).map(lambda audio: base64.b64encode(audio).decode()),
    st.text("AZaz09+/=", max_size=12),
    st.text(max_size=6),
)
spellings = st.sampled_from([(",", ":"), (", ", ": ")])


@st.composite
def written(draw: st.DrawFn, message: dict[str, object]) -> str:
    """A message of some stream, in some order and spelling."""
    message = {**message, "streamSid": draw(st.sampled_from(["MZ0", "MZ\\", "", "MZ9" * 30]))}
    if draw(st.booleans()):
        message = dict(draw(st.permutations(list(message.items()))))
    return json.dumps(message, separators=draw(spellings), ensure_ascii=draw(st.booleans()))


@st.composite
def frames(draw: st.DrawFn) -> str:
    """A frame as the carrier may write it, or nearly."""
    media = {
        "track": draw(st.sampled_from(["inbound", "outbound"])),
        "chunk": draw(numbers),
        "timestamp": draw(numbers),
        "payload": draw(payloads),
    }
    message = {"event": "media", "sequenceNumber": draw(numbers), "media": media}
    return draw(written(message))


@st.composite
def damaged(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> str:
    """A text with a stretch of it exchanged for something else."""
    text = draw(texts)
    start = draw(st.integers(0, len(text)))
    return text[:start] + draw(st.text(max_size=3)) + text[start + draw(st.integers(0, 4)) :]


@given(st.one_of(frames(), damaged(frames())))
@example(PLAIN)
@example(PLAIN + "\n")
@example(PLAIN.replace("/38=", "/38"))
@example(PLAIN.replace("/38=", "/3=="))
@example(PLAIN.replace("/38=", "===="))
@example(PLAIN.replace('"25"', '"0025"'))
def test_a_frame_that_is_read_fast_is_what_decode_says(text: str) -> None:
    heard = twilio.media_of(text)
    if heard is not None:
        assert twilio.decode(text) == Media(*heard)


@given(st.binary(min_size=1, max_size=400), st.integers(0, 10**12 - 1))
def test_what_the_carrier_writes_to_the_letter_is_read_fast(audio: bytes, at_ms: int) -> None:
    payload = base64.b64encode(audio).decode()
    text = PLAIN.replace("/38=", payload).replace('"25"', f'"{at_ms}"')
    assert twilio.media_of(text) == (payload, at_ms)


@st.composite
def marks(draw: st.DrawFn) -> str:
    """A mark that comes back, as the carrier may write it, or nearly."""
    names = st.one_of(st.just("0:12:3360"), st.text('0:a\\"é-_ ', max_size=8), st.text(max_size=6))
    message: dict[str, object] = {"event": "mark", "sequenceNumber": draw(numbers)}
    message["mark"] = {"name": draw(names)}
    return draw(written(message))


def outcome(text: str) -> object:
    """What a message says, or that the protocol does not allow it."""
    try:
        return twilio.decode(text)
    except CarrierProtocolError as error:
        return type(error)


@given(st.one_of(marks(), damaged(marks())))
@example(
    '{"event":"mark","sequenceNumber":"4","mark":{"name":"0:12:3360"},"streamSid":"MZ0"}',
)
def test_a_mark_says_the_same_in_every_spelling(text: str) -> None:
    try:
        spaced = json.dumps(json.loads(text), separators=(" , ", " : "))
    except ValueError:
        assert outcome(text) is CarrierProtocolError
    else:
        assert outcome(text) == outcome(spaced)
