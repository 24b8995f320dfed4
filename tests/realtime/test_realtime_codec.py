"""Reading and writing events: what is kept, what is refused, and how a refusal is worded."""

from __future__ import annotations

import json
from typing import Any

import pytest

from voicebridge.realtime import (
    INF,
    AssistantMessage,
    Audio,
    AudioFormat,
    AudioFormatObject,
    AudioInput,
    ContentPart,
    ConversationItemAddedEvent,
    ConversationItemCreateEvent,
    ConversationItemTruncateEvent,
    ErrorEvent,
    FunctionCall,
    FunctionCallOutput,
    FunctionTool,
    InputAudioBufferSpeechStartedEvent,
    RealtimeProtocolError,
    ResponseAudioDeltaEvent,
    ResponseCancelEvent,
    ResponseDoneEvent,
    ResponseOutputAudioDeltaEvent,
    SemanticVad,
    ServerVad,
    Session,
    SessionCreatedEvent,
    SessionUpdateEvent,
    SystemMessage,
    ToolChoiceFunction,
    TranscriptionSession,
    UnknownEvent,
    UnknownObject,
    UserMessage,
    input_audio,
    input_image,
    input_text,
    is_inf,
    marshal_client_event,
    marshal_server_event,
    neutral_format,
    unmarshal_server_event,
)

DELTA = {
    "type": "response.output_audio.delta",
    "event_id": "e1",
    "response_id": "r1",
    "item_id": "i1",
    "output_index": 0,
    "content_index": 0,
    "delta": "AAAA",
}


def read(**event: Any) -> Any:
    return unmarshal_server_event(json.dumps(event))


def written(event: Any) -> Any:
    return json.loads(marshal_client_event(event))


def refusal_of(data: str | bytes) -> RealtimeProtocolError:
    with pytest.raises(RealtimeProtocolError) as caught:
        unmarshal_server_event(data)
    assert not caught.value.permanent
    return caught.value


def test_an_audio_delta_is_a_plain_object_with_its_fields() -> None:
    event = read(**DELTA)
    assert event == ResponseOutputAudioDeltaEvent("r1", "i1", 0, 0, "AAAA", "e1")
    assert event.type == "response.output_audio.delta"
    assert not hasattr(event, "__dict__")
    assert ResponseAudioDeltaEvent is ResponseOutputAudioDeltaEvent


def test_an_audio_delta_keeps_the_fields_it_does_not_know() -> None:
    wire = {**DELTA, "obfuscation": "x", "extra": {"y": 1}}
    event = unmarshal_server_event(json.dumps(wire))
    assert isinstance(event, ResponseOutputAudioDeltaEvent)
    assert event.extra == {"obfuscation": "x", "extra": {"y": 1}}
    assert json.loads(marshal_server_event(event)) == wire


def test_an_audio_delta_without_an_event_id_is_written_without_one() -> None:
    wire = {key: value for key, value in DELTA.items() if key != "event_id"}
    assert json.loads(marshal_server_event(read(**wire))) == wire


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("delta", None),
        ("delta", 7),
        ("item_id", None),
        ("response_id", []),
        ("output_index", "0"),
        ("output_index", True),
        ("content_index", 0.5),
        ("event_id", 7),
    ],
)
def test_a_malformed_audio_delta_is_refused_by_the_name_of_its_field(
    field: str, value: Any
) -> None:
    error = refusal_of(json.dumps({**DELTA, field: value}))
    assert (error.event_type, error.field) == ("response.output_audio.delta", field)


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({"type": "input_audio_buffer.speech_started", "item_id": "i"}, "audio_start_ms"),
        (
            {"type": "input_audio_buffer.speech_started", "item_id": "i", "audio_start_ms": "9"},
            "audio_start_ms",
        ),
        ({"type": "response.done"}, "response"),
        ({"type": "response.done", "response": {"status": 5}}, "response.status"),
        (
            {"type": "response.done", "response": {"output": [{"type": "message"}, 3]}},
            "response.output[1]",
        ),
        (
            {
                "type": "conversation.item.added",
                "item": {
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": 4}],
                },
            },
            "item.content[0].text",
        ),
        ({"type": "session.created", "session": []}, "session"),
        (
            {"type": "session.created", "session": {"audio": {"input": {"format": 3}}}},
            "session.audio.input.format",
        ),
        ({"type": "error", "error": "broken"}, "error"),
        (
            {"type": "response.done", "response": {"usage": {"total_tokens": 1.5}}},
            "response.usage.total_tokens",
        ),
    ],
)
def test_a_malformed_event_is_refused_by_its_type_and_field(event: Any, field: str) -> None:
    error = refusal_of(json.dumps(event))
    assert (error.event_type, error.field) == (event["type"], field)
    assert event["type"] in str(error)
    assert field in str(error)


@pytest.mark.parametrize(
    "data",
    ["", "{", "[]", "null", "7", '"x"', b"\xff", '{"type":7}', "{}", "NaN", '{"a":NaN}', "\ud800"],
)
def test_what_is_not_an_event_is_refused(data: str | bytes) -> None:
    assert refusal_of(data).event_type is None


def test_json_nested_too_deeply_is_refused() -> None:
    refusal_of('{"type":"x","a":' + "[" * 100_000 + "]" * 100_000 + "}")
    deep = unmarshal_server_event('{"type":"x","a":' + "[" * 150 + "]" * 150 + "}")
    assert isinstance(deep, UnknownEvent)
    assert unmarshal_server_event(marshal_server_event(deep)) == deep


def test_an_error_s_text_does_not_repeat_what_the_event_carried() -> None:
    secret = "the caller's own words"
    data = json.dumps({"type": "error", "error": [secret]})
    assert secret not in str(refusal_of(data))


def test_an_unknown_event_keeps_its_raw_json() -> None:
    wire = {"type": "session.hologram", "event_id": "e9", "angle": [1, {"x": None}]}
    event = unmarshal_server_event(json.dumps(wire))
    assert isinstance(event, UnknownEvent)
    assert (event.type, event.event_id, event.raw) == ("session.hologram", "e9", wire)
    assert json.loads(marshal_server_event(event)) == wire


def test_an_unknown_event_without_a_proper_id_has_none() -> None:
    assert UnknownEvent("x", {"event_id": 3}).event_id is None


def test_unknown_fields_survive_at_every_depth() -> None:
    wire = {
        "type": "response.done",
        "event_id": "e",
        "new": 1,
        "response": {
            "id": "r",
            "new": {"a": None},
            "usage": {"total_tokens": 3, "video_tokens": 2},
            "output": [
                {
                    "type": "message",
                    "role": "assistant",
                    "content": [{"type": "output_text", "text": "x", "mood": "fine"}],
                    "new": [],
                }
            ],
        },
    }
    event = unmarshal_server_event(json.dumps(wire))
    assert isinstance(event, ResponseDoneEvent)
    assert json.loads(marshal_server_event(event)) == wire


def test_an_item_or_part_of_an_unknown_type_does_not_spoil_its_event() -> None:
    part = {"type": "output_smell", "text": {"notes": ["rose"]}}
    message = {"type": "message", "role": "assistant", "content": [part]}
    event = read(type="conversation.item.added", item=message)
    assert isinstance(event, ConversationItemAddedEvent)
    assert isinstance(event.item, AssistantMessage)
    assert isinstance(event.item.content[0], UnknownObject)
    other = read(type="conversation.item.added", item={"type": "web_search_call", "id": "w"})
    assert isinstance(other.item, UnknownObject)
    assert (other.item.type, other.item.id) == ("web_search_call", "w")
    narrator = read(type="conversation.item.added", item={**message, "role": "narrator"})
    assert isinstance(narrator.item, UnknownObject)


@pytest.mark.parametrize(
    "item",
    [
        {"type": "message", "role": "user", "content": None},
        {"type": "message", "role": "user"},
        {"type": "function_call", "name": "f", "arguments": None},
        {"type": "function_call_output", "call_id": None, "output": "x"},
        {"type": "function_call_output", "call_id": "c"},
    ],
)
def test_an_item_without_what_its_kind_has_is_kept_raw(item: Any) -> None:
    event = read(type="conversation.item.added", item=item)
    assert isinstance(event.item, UnknownObject)
    assert json.loads(marshal_server_event(event))["item"] == item


def test_a_function_call_may_come_without_arguments() -> None:
    event = read(type="conversation.item.added", item={"type": "function_call", "name": "f"})
    assert isinstance(event.item, FunctionCall)
    assert event.item.arguments == ""


def test_absent_and_null_are_told_apart_on_the_wire() -> None:
    absent = SessionUpdateEvent(session=Session(audio=Audio(input=AudioInput(format="pcm16"))))
    assert "turn_detection" not in written(absent)["session"]["audio"]["input"]
    off = SessionUpdateEvent(session=Session(audio=Audio(input=AudioInput(turn_detection=None))))
    assert written(off)["session"]["audio"]["input"] == {"turn_detection": None}


def test_absent_and_null_are_told_apart_when_read() -> None:
    event = read(type="session.created", session={"instructions": None})
    assert isinstance(event, SessionCreatedEvent)
    assert "instructions" in event.session.model_fields_set
    assert "audio" not in event.session.model_fields_set


def test_type_and_role_are_written_though_nobody_set_them() -> None:
    user = UserMessage(content=[input_text("a"), input_audio("AAAA"), input_image("data:x")])
    assert written(ConversationItemCreateEvent(item=user)) == {
        "type": "conversation.item.create",
        "item": {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "a"},
                {"type": "input_audio", "audio": "AAAA"},
                {"type": "input_image", "image_url": "data:x"},
            ],
        },
    }
    system = SystemMessage(content=[ContentPart(type="input_text", text="b")])
    assert written(ConversationItemCreateEvent(item=system))["item"]["role"] == "system"
    answer = FunctionCallOutput(call_id="c", output="{}")
    assert written(ConversationItemCreateEvent(item=answer))["item"] == {
        "type": "function_call_output",
        "call_id": "c",
        "output": "{}",
    }


def test_a_session_may_be_built_from_plain_objects() -> None:
    session = Session.model_validate(
        {
            "tools": [{"name": "f"}, {"type": "function", "name": "g"}],
            "audio": {"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "low"}}},
        }
    )
    assert session.tools is not None
    assert isinstance(session.tools[1], FunctionTool)
    assert session.audio is not None
    assert session.audio.input is not None
    assert isinstance(session.audio.input.turn_detection, SemanticVad)
    assert written(SessionUpdateEvent(session=session))["session"]["type"] == "realtime"


def test_zero_is_written_where_zero_has_a_meaning() -> None:
    event = ConversationItemTruncateEvent(item_id="i", content_index=0, audio_end_ms=0)
    assert written(event) == {
        "type": "conversation.item.truncate",
        "item_id": "i",
        "content_index": 0,
        "audio_end_ms": 0,
    }


def test_an_event_id_of_ours_is_written_and_comes_back_in_the_error() -> None:
    assert written(ResponseCancelEvent(event_id="c7")) == {
        "type": "response.cancel",
        "event_id": "c7",
    }
    error = read(type="error", error={"message": "no", "event_id": "c7"})
    assert isinstance(error, ErrorEvent)
    assert (error.error.event_id, error.error.code) == ("c7", None)


def test_a_token_limit_is_a_number_or_no_limit() -> None:
    assert is_inf(INF)
    assert not is_inf(4096)
    assert not is_inf(None)
    assert written(SessionUpdateEvent(session=Session(max_output_tokens=INF)))["session"] == {
        "type": "realtime",
        "max_output_tokens": "inf",
    }
    assert read(type="response.done", response={"max_output_tokens": 12})
    refusal_of('{"type":"response.done","response":{"max_output_tokens":"many"}}')


def test_a_tool_choice_is_a_word_or_a_tool_in_what_we_send_and_what_we_get() -> None:
    choice = Session(tool_choice=ToolChoiceFunction(name="f"))
    assert written(SessionUpdateEvent(session=choice))["session"]["tool_choice"] == {
        "type": "function",
        "name": "f",
    }
    word = read(type="session.created", session={"tool_choice": "required"})
    assert word.session.tool_choice == "required"
    named = read(type="session.created", session={"tool_choice": {"type": "function", "name": "f"}})
    assert named.session.tool_choice == ToolChoiceFunction(name="f")


def test_formats_are_named_neutrally_however_they_are_spelled() -> None:
    assert neutral_format("g711_ulaw") is AudioFormat.G711_ULAW
    assert neutral_format(AudioFormatObject(type="audio/pcma")) is AudioFormat.G711_ALAW
    assert neutral_format(AudioFormatObject(type="audio/opus")) == "audio/opus"
    assert neutral_format(AudioFormatObject()) is None
    assert neutral_format(None) is None
    assert Session().input_format is None
    assert Session(audio=Audio()).output_format is None
    listening = TranscriptionSession(audio=Audio(input=AudioInput(format="pcm16")))
    assert listening.input_format is AudioFormat.PCM16


def test_whole_numbers_stay_whole() -> None:
    event = read(
        type="rate_limits.updated", rate_limits=[{"reset_seconds": 1}, {"reset_seconds": 0.5}]
    )
    assert b'"reset_seconds":1}' in marshal_server_event(event)
    assert isinstance(
        read(type="input_audio_buffer.speech_started", item_id="i", audio_start_ms=5),
        InputAudioBufferSpeechStartedEvent,
    )


def test_a_number_too_large_for_a_float_is_none_in_a_field_we_know() -> None:
    known = '{"type":"rate_limits.updated","rate_limits":[{"reset_seconds":1e999}]}'
    error = refusal_of(known)
    assert error.field == "rate_limits[0].reset_seconds"
    unknown = unmarshal_server_event(known.replace("reset_seconds", "other"))
    assert b'"other":null' in marshal_server_event(unknown)


def test_turn_detection_of_an_unknown_kind_is_kept() -> None:
    event = read(
        type="session.created",
        session={"audio": {"input": {"turn_detection": {"type": "none"}}}},
    )
    detection = event.session.audio.input.turn_detection
    assert isinstance(detection, UnknownObject)
    assert not isinstance(detection, ServerVad)
    assert detection.type == "none"
