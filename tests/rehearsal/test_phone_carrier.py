from __future__ import annotations

import base64
from dataclasses import dataclass

import pytest
from phone_small_bridge import STREAM, MediaLeg, SmallBridge, serving
from twilio.request_validator import RequestValidator

from voicebridge.rehearsal.behaviour import HANG_UP, QUIET, Act, RecordedCaller, acts_of
from voicebridge.rehearsal.carrier import SimulatedCarrier
from voicebridge.rehearsal.ear import Ear
from voicebridge.rehearsal.notes import PhoneNote
from voicebridge.rehearsal.phone import SILENCE_FRAME
from voicebridge.rehearsal.phone_log import PhoneLog

TOKEN = "a token of no account"


@dataclass
class Acting:
    """A caller whose acts are listed; silent afterwards."""

    acts: tuple[Act, ...] = ()

    def act(self, ear: Ear, now_ms: int) -> Act:
        at = now_ms // 20
        return self.acts[at] if at < len(self.acts) else QUIET


def tone(frames: int) -> bytes:
    return bytes((at % 16) * 8 for at in range(frames * 160))


async def call(
    bridge: SmallBridge, caller: Acting | RecordedCaller | None = None, **options: object
) -> PhoneLog:
    deadline_s = options.pop("deadline_s", 5.0)
    carrier = SimulatedCarrier(bridge.voice_url, **options)
    return await carrier.place_call(caller or Acting(), deadline_s=deadline_s)


async def test_a_call_begins_with_connected_then_start_then_media_every_20_ms() -> None:
    async def script(leg: MediaLeg) -> None:
        await leg.read_media(4)

    async with serving(SmallBridge(script=script)) as bridge:
        log = await call(bridge, Acting(acts_of(tone(3))))
    leg = bridge.legs[0]
    assert leg.connected == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    sid, call_sid = log.stream_sid, log.call_sid
    assert leg.start == {
        "event": "start",
        "sequenceNumber": "1",
        "start": {
            "accountSid": "AC" + "0" * 32,
            "streamSid": sid,
            "callSid": call_sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {"token": "t-1"},
        },
        "streamSid": sid,
    }
    assert [len(sid), len(call_sid), sid[:2], call_sid[:2]] == [34, 34, "MZ", "CA"]
    for number, message in enumerate(leg.of("media")[:4]):
        frame = (tone(3) + SILENCE_FRAME)[number * 160 : number * 160 + 160]
        assert message == {
            "event": "media",
            "sequenceNumber": str(number + 2),
            "media": {
                "track": "inbound",
                "chunk": str(number + 1),
                "timestamp": str(number * 20),
                "payload": base64.b64encode(frame).decode(),
            },
            "streamSid": sid,
        }


async def test_the_webhook_and_the_handshake_carry_signatures_the_vendor_accepts() -> None:
    async with serving(SmallBridge()) as bridge:
        await call(bridge, auth_token=TOKEN)
    validator = RequestValidator(TOKEN)
    request, form = bridge.posts[0]
    signature = request.headers["X-Twilio-Signature"]
    assert validator.validate(bridge.voice_url, form, signature)
    assert not validator.validate(bridge.voice_url, {**form, "Digits": "1"}, signature)
    handshake = bridge.legs[0].request.headers["X-Twilio-Signature"]
    assert validator.validate(bridge.media_url, {}, handshake)
    assert form["From"] == form["Caller"] == "+15550100001"
    assert form["To"] == form["Called"] == "+15550100002"
    assert form["CallStatus"] == "ringing"
    assert form["FromCity"] == ""


async def test_without_an_auth_token_nothing_is_signed() -> None:
    async with serving(SmallBridge()) as bridge:
        await call(bridge)
    assert "X-Twilio-Signature" not in bridge.posts[0][0].headers
    assert "X-Twilio-Signature" not in bridge.legs[0].request.headers


async def test_the_handshake_offers_no_subprotocol_and_no_compression() -> None:
    async with serving(SmallBridge()) as bridge:
        await call(bridge)
    headers = bridge.legs[0].request.headers
    assert "Sec-WebSocket-Protocol" not in headers
    assert "Sec-WebSocket-Extensions" not in headers


async def test_audio_is_played_at_the_carriers_pace_and_its_mark_returned() -> None:
    async def script(leg: MediaLeg) -> None:
        await leg.media(tone(5))
        await leg.mark("said")
        back = await leg.read_until("mark")
        assert back["mark"] == {"name": "said"}
        assert back["streamSid"] == leg.stream_sid

    async with serving(SmallBridge(script=script)) as bridge:
        log = await call(bridge)
    assert log.ended_by == "bridge"
    assert log.close_code == 1000
    span = log.played[0]
    assert log.received_audio == tone(5)
    assert log.heard_audio[span.carrier_ms * 8 :][: 5 * 160] == tone(5)
    mark = log.marks[0]
    assert mark.played
    assert mark.echoed_ms == span.carrier_ms + 100
    assert log.protocol_violations == []


async def test_a_clear_stops_the_ear_at_once_and_returns_the_marks() -> None:
    async def script(leg: MediaLeg) -> None:
        await leg.media(tone(500))
        await leg.mark("never heard")
        await leg.read_media(5)
        await leg.clear()
        assert (await leg.read_until("mark"))["mark"]["name"] == "never heard"
        await leg.read_media(3)

    async with serving(SmallBridge(script=script)) as bridge:
        log = await call(bridge)
    clear = log.clears[0]
    assert clear.dropped_bytes + clear.played_received_offset == 500 * 160
    assert log.played[0].nbytes == clear.played_received_offset
    assert log.heard_audio[clear.carrier_ms * 8 :].count(0xFF) == log.duration_ms * 8 - (
        clear.carrier_ms * 8
    )
    assert not log.marks[0].played


BAD_MESSAGES = [
    "not json",
    "[1,2]",
    '"media"',
    {"event": "dance", "streamSid": "{sid}"},
    {"event": "clear", "streamSid": "MZ0"},
    {"event": "clear", "stream_sid": "{sid}"},
    {"event": "clear", "streamSid": "{sid}", "extra": 1},
    {"event": "media", "streamSid": "{sid}"},
    {"event": "media", "streamSid": "{sid}", "media": {"payload": "a*b="}},
    {"event": "media", "streamSid": "{sid}", "media": {"payload": "abc"}},
    {"event": "media", "streamSid": "{sid}", "media": {"payload": 7}},
    {"event": "media", "streamSid": "{sid}", "media": {"payload": "/w==", "track": "outbound"}},
    {"event": "media", "streamSid": "{sid}", "media": "/w=="},
    {"event": "mark", "streamSid": "{sid}", "mark": {"name": ""}},
    {"event": "mark", "streamSid": "{sid}", "mark": {"label": "x"}},
    {"event": "stop", "streamSid": "{sid}"},
]


async def test_what_is_not_to_the_letter_is_dropped_and_the_call_goes_on() -> None:
    async def script(leg: MediaLeg) -> None:
        for bad in BAD_MESSAGES:
            if isinstance(bad, dict) and bad.get("streamSid") == "{sid}":
                await leg.send({**bad, "streamSid": leg.stream_sid})
            elif isinstance(bad, dict) and "stream_sid" in bad:
                await leg.send({**bad, "stream_sid": leg.stream_sid})
            else:
                await leg.send(bad)
        await leg.socket.send_bytes(b"\x00")
        await leg.mark("still here")
        await leg.read_until("mark")

    async with serving(SmallBridge(script=script)) as bridge:
        log = await call(bridge)
    codes = [violation.code for violation in log.protocol_violations]
    assert codes == [31951] * len(BAD_MESSAGES) + [31950]
    assert log.received_audio == b""
    assert [mark.name for mark in log.marks] == ["still here"]


async def test_a_caller_who_hangs_up_sends_stop_and_closes() -> None:
    async def script(leg: MediaLeg) -> None:
        await leg.media(tone(500))
        await leg.read_to_the_end()

    twiml = STREAM + "<Say>never</Say>"
    async with serving(SmallBridge(twiml=twiml, script=script)) as bridge:
        log = await call(bridge, Acting((*[QUIET] * 5, HANG_UP)))
    assert log.ended_by == "caller"
    assert log.frames_sent == 5
    last = bridge.legs[0].seen[-1]
    assert last == {
        "event": "stop",
        "sequenceNumber": str(len(bridge.legs[0].seen) - 1),
        "streamSid": log.stream_sid,
        "stop": {"accountSid": "AC" + "0" * 32, "callSid": log.call_sid},
    }
    assert log.lost_at_close[0].dropped_bytes > 0
    assert log.verbs_after_stream == []


async def test_sequence_numbers_count_every_message_without_a_hole() -> None:
    async def script(leg: MediaLeg) -> None:
        await leg.mark("one")
        await leg.media(tone(2))
        await leg.mark("two")
        await leg.read_to_the_end()

    keys = (*acts_of(tone(1)), Act(QUIET.audio, QUIET.payload, digit="5"))
    async with serving(SmallBridge(script=script)) as bridge:
        log = await call(bridge, Acting((*keys, *[QUIET] * 6, HANG_UP)))
    numbers = [int(m["sequenceNumber"]) for m in bridge.legs[0].seen if "sequenceNumber" in m]
    assert numbers == list(range(1, len(numbers) + 1))
    assert bridge.legs[0].of("dtmf")[0]["dtmf"] == {"track": "inbound_track", "digit": "5"}
    assert [(key.digit, key.carrier_ms) for key in log.keys] == [("5", 20)]


async def test_when_the_bridge_closes_the_next_verb_runs_and_queued_audio_is_lost() -> None:
    async def script(leg: MediaLeg) -> None:
        await leg.media(tone(100))
        await leg.mark("lost")
        await leg.read_media(2)

    twiml = STREAM + "<Say>The line is <b>busy</b>.</Say><Hangup/><Say>never</Say>"
    async with serving(SmallBridge(twiml=twiml, script=script)) as bridge:
        log = await call(bridge)
    assert log.verbs_after_stream == ["Say The line is busy.", "Hangup"]
    assert log.lost_at_close[0].dropped_bytes >= 90 * 160
    assert log.marks[0].echoed_at is None
    assert log.ended_by == "bridge"


async def test_a_redirect_is_signed_relative_and_in_progress() -> None:
    more = {"/next": "<Say>Goodbye.</Say>"}
    twiml = STREAM + "<Redirect>/next?step=2&amp;x=%20y</Redirect>"
    async with serving(SmallBridge(twiml=twiml, more=more)) as bridge:
        log = await call(bridge, auth_token=TOKEN)
    request, form = bridge.posts[1]
    url = f"http://{bridge.address}/next?step=2&x=%20y"
    assert RequestValidator(TOKEN).validate(url, form, request.headers["X-Twilio-Signature"])
    assert form["CallStatus"] == "in-progress"
    assert form["CallSid"] == log.call_sid
    assert [document.url for document in log.documents] == [bridge.voice_url, url]
    assert log.verbs_after_stream == ["Redirect /next?step=2&x=%20y", "Say Goodbye."]


async def test_a_redirect_by_get_carries_the_fields_in_its_signed_query() -> None:
    more = {"/next": "<Hangup/>"}
    twiml = "<Redirect method='GET'>{http}/next?a=1</Redirect>"
    async with serving(SmallBridge(twiml=twiml, more=more)) as bridge:
        await call(bridge, auth_token=TOKEN)
    request = bridge.posts[1][0]
    assert request.method == "GET"
    assert request.query["a"] == "1"
    assert request.query["To"] == "+15550100002"
    url = f"http://{bridge.address}{request.path_qs}"
    assert request.raw_path == request.path_qs
    signature = request.headers["X-Twilio-Signature"]
    assert RequestValidator(TOKEN).validate(url, {}, signature)


async def test_an_action_takes_over_when_the_stream_has_ended() -> None:
    twiml = STREAM.replace("<Connect>", "<Connect action='/after'>") + "<Say>never</Say>"
    more = {"/after": "<Dial action='/dialled'><Number>+15550100009</Number></Dial>"}
    more["/dialled"] = "<Hangup/>"
    async with serving(SmallBridge(twiml=twiml, more=more)) as bridge:
        log = await call(bridge)
    assert log.verbs_after_stream == ["Dial +15550100009", "Hangup"]
    assert bridge.posts[2][1]["DialCallStatus"] == "completed"


async def test_a_second_stream_goes_on_by_the_carriers_clock_with_a_new_sid() -> None:
    async def script(leg: MediaLeg) -> None:
        await leg.media(tone(3))
        await leg.mark("end")
        await leg.read_until("mark")

    more = {"/again": STREAM}
    twiml = STREAM + "<Redirect>/again</Redirect>"
    async with serving(SmallBridge(twiml=twiml, more=more, script=script)) as bridge:
        log = await call(bridge)
    first, second = log.streams
    assert first.stream_sid != second.stream_sid == log.stream_sid
    assert second.carrier_ms >= 60
    assert first.carrier_ms == 0
    assert bridge.legs[1].of("media")[0]["media"]["timestamp"] == "0"
    assert log.received_audio == tone(6)
    assert log.carrier_ms_of(second.started_at) == second.carrier_ms


@pytest.mark.parametrize(
    ("bridge", "error"),
    [
        (SmallBridge(status=503), "11200"),
        (SmallBridge(content_type="application/json"), "12300"),
        (SmallBridge(twiml="!<Response"), "12100"),
        (SmallBridge(twiml="<Connect><Stream url='{ws}/media?token=1'/></Connect>"), "31920"),
        (SmallBridge(twiml="<Connect><Stream url='{http}/media'/></Connect>"), "31922"),
        (SmallBridge(twiml="<Connect><Stream url='{ws}/voice'/></Connect>"), "31920"),
        (SmallBridge(twiml="<Connect><Stream url='ws://127.0.0.1:1/x'/></Connect>"), "31902"),
        (SmallBridge(twiml="<Dance/>"), "12200"),
    ],
)
async def test_what_the_bridge_does_wrong_is_filed_under_the_carriers_code(
    bridge: SmallBridge, error: str
) -> None:
    async with serving(bridge):
        log = await call(bridge)
    assert [text[:5] for text in log.errors] == [error]
    assert log.streams == []


async def test_a_webhook_nobody_answers_ends_the_call_by_the_carrier() -> None:
    carrier = SimulatedCarrier("http://127.0.0.1:1/voice")
    log = await carrier.place_call(Acting(), deadline_s=5.0)
    assert log.errors[0].startswith("11205")
    assert log.ended_by == "carrier"


async def test_a_stream_that_cannot_be_opened_leaves_the_next_verb_to_the_caller() -> None:
    twiml = "<Connect><Stream url='{ws}/voice'/></Connect><Say>Sorry.</Say>"
    async with serving(SmallBridge(twiml=twiml)) as bridge:
        log = await call(bridge)
    assert log.verbs_after_stream == ["Say Sorry."]


async def test_documents_that_redirect_for_ever_are_given_up() -> None:
    async with serving(SmallBridge(twiml="<Redirect>/voice</Redirect>")) as bridge:
        log = await call(bridge)
    assert len(log.documents) == 21
    assert log.ended_by == "carrier"


async def test_at_the_deadline_the_caller_hangs_up_in_good_order() -> None:
    async def script(leg: MediaLeg) -> None:
        await leg.read_to_the_end()

    async with serving(SmallBridge(script=script)) as bridge:
        log = await call(bridge, deadline_s=0.2)
    assert log.ended_by == "deadline"
    assert bridge.legs[0].seen[-1]["event"] == "stop"


async def test_delay_and_jitter_hold_messages_back_both_ways_but_never_reorder_them() -> None:
    async def script(leg: MediaLeg) -> None:
        for number in range(40):
            await leg.media(bytes([number]) * 8)
            await leg.mark(str(number))
        for number in range(40):
            assert (await leg.read_until("mark"))["mark"]["name"] == str(number)
        await leg.read_to_the_end()

    async with serving(SmallBridge(script=script)) as bridge:
        caller = Acting((*[QUIET] * 30, HANG_UP))
        log = await call(bridge, caller, network_delay_ms=60, jitter_ms=30, seed=4)
    assert log.received_audio == bytes(number for number in range(40) for _ in range(8))
    first_at = log.received[0].at - log.streams[0].started_at
    assert first_at >= 0.12
    assert log.network_delay_ms == 60
    seen = bridge.legs[0].seen
    timestamps = [
        int(message["media"]["timestamp"]) for message in seen if message["event"] == "media"
    ]
    assert timestamps == list(range(0, 600, 20))
    assert seen[-1]["event"] == "stop"


async def test_a_clear_keeps_the_moment_at_which_it_came_off_the_wire() -> None:
    async def script(leg: MediaLeg) -> None:
        await leg.clear()
        await leg.mark("through")
        await leg.read_until("mark")

    async with serving(SmallBridge(script=script)) as bridge:
        log = await call(bridge, network_delay_ms=50)
    clear = log.clears[0]
    assert clear.at - clear.arrived_at >= 0.05


async def test_what_happens_is_told_as_it_happens() -> None:
    async def script(leg: MediaLeg) -> None:
        await leg.media(tone(30))
        await leg.mark("m")
        await leg.read_media(4)
        await leg.clear()
        await leg.read_media(2)

    notes: list[PhoneNote] = []
    async with serving(SmallBridge(script=script, twiml=STREAM + "<Hangup/>")) as bridge:
        caller = RecordedCaller(tone(2))
        await call(bridge, caller, on_event=notes.append)
    kinds = [note.kind for note in notes]
    assert kinds[:3] == ["dial", "connected", "caller"]
    assert kinds[-2:] == ["verb", "hang_up"]
    assert [kind for kind in kinds if kind in {"agent", "cut", "agent_done", "mark"}] == [
        "agent",
        "cut",
        "mark",
        "agent_done",
    ]
    assert [note.at for note in notes] == sorted(note.at for note in notes)


async def test_the_auth_token_is_not_shown() -> None:
    assert TOKEN not in repr(SimulatedCarrier("http://127.0.0.1:1/", auth_token=TOKEN))


async def test_a_bridge_that_dies_without_a_close_leaves_the_next_verb_to_the_caller() -> None:
    async def script(leg: MediaLeg) -> None:
        await leg.read_media(2)
        assert leg.request.transport is not None
        leg.request.transport.abort()

    twiml = STREAM + "<Say>Sorry.</Say>"
    async with serving(SmallBridge(twiml=twiml, script=script)) as bridge:
        log = await call(bridge)
    assert (log.ended_by, log.close_code) == ("bridge", 1006)
    assert log.verbs_after_stream == ["Say Sorry."]


async def test_a_document_without_a_stream_is_carried_out_to_its_end() -> None:
    async with serving(SmallBridge(twiml="<Pause length='0'/><Say>Hello.</Say>")) as bridge:
        log = await call(bridge)
    assert log.documents[0].verbs == ("Pause 0", "Say Hello.")
    assert log.ended_by == "bridge"


async def test_each_dial_goes_as_it_was_said_and_its_action_is_told() -> None:
    dial = "<Dial action='{action}'><Number>+15550100009</Number></Dial>"
    more = {"/1": dial.format(action="/2"), "/2": dial.format(action="/3"), "/3": "<Hangup/>"}
    twiml = dial.format(action="/1")
    async with serving(SmallBridge(twiml=twiml, more=more)) as bridge:
        log = await call(bridge, dials=("busy", "no-answer"), auth_token=TOKEN)
    told = [form for _, form in bridge.posts[1:]]
    statuses = [form["DialCallStatus"] for form in told]
    assert statuses == ["busy", "no-answer", "completed"]
    assert [form["DialBridged"] for form in told] == ["false", "false", "true"]
    assert "DialCallDuration" not in told[0]
    assert told[2]["DialCallDuration"] == "1"
    assert log.errors == []
    for request, form in bridge.posts:
        url = f"http://{bridge.address}{request.path}"
        assert RequestValidator(TOKEN).validate(url, form, request.headers["X-Twilio-Signature"])


async def test_a_dial_without_an_action_goes_on_with_the_next_verb() -> None:
    twiml = "<Dial><Number>+15550100009</Number></Dial><Say>Nobody is there.</Say><Hangup/>"
    async with serving(SmallBridge(twiml=twiml)) as bridge:
        log = await call(bridge, dials=("failed",))
    assert log.verbs_after_stream == ["Dial +15550100009", "Say Nobody is there.", "Hangup"]


async def test_a_message_that_was_recorded_is_told_to_its_action() -> None:
    twiml = "<Say>Leave a message.</Say><Record action='/taken'/>"
    async with serving(SmallBridge(twiml=twiml, more={"/taken": "<Hangup/>"})) as bridge:
        log = await call(bridge)
    assert log.verbs_after_stream == ["Say Leave a message.", "Record", "Hangup"]
    assert bridge.posts[1][1]["RecordingDuration"] == "1"
