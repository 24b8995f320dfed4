from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_harness import ToneVoice, conversing, says

from voicebridge.rehearsal import wire_beta, wire_ga
from voicebridge.rehearsal.model_session import ModelSession
from voicebridge.rehearsal.session_config import Session
from voicebridge.rehearsal.session_state import SessionState, Setting


@pytest.mark.parametrize(
    ("text", "code", "param"),
    [
        ("{", "invalid_json", None),
        ("", "invalid_json", None),
        ('{"type":"session.update"', "invalid_json", None),
        ("[]", "invalid_event", None),
        ('"hello"', "invalid_event", None),
        (b'{"type":"response.create"}', "invalid_event", None),
        ("{}", "missing_required_parameter", "type"),
        ('{"type":5}', "missing_required_parameter", "type"),
        ('{"type":"session.close"}', "invalid_value", "type"),
        ('{"type":"output_audio_buffer.clear"}', "invalid_value", "type"),
        ('{"type":"response.create","event_id":5}', "invalid_type", "event_id"),
        ('{"type":"input_audio_buffer.clear","now":true}', "unknown_parameter", "now"),
    ],
)
async def test_bad_input_is_an_error_event_and_the_session_goes_on(
    text: str | bytes, code: str, param: str | None
) -> None:
    async with conversing(says("Hello.")) as (client, server):
        await client.send_text(text)
        error = (await client.until("error"))["error"]
        assert (error["type"], error["code"]) == ("invalid_request_error", code)
        assert (error["param"], error["event_id"]) == (param, None)
        await client.send("response.create")
        await client.until("response.done")
        sent = server.sessions[0].log.errors_sent
    assert [(one.code, one.client_event_id) for one in sent] == [(code, None)]


class Collected:
    """An outbox that only collects."""

    def __init__(self, dialect: Any) -> None:
        self.dialect, self.events = dialect, list[dict[str, Any]]()

    def emit(self, event: dict[str, Any], written: Any = None) -> None:
        wire = self.dialect.encode(event)
        if wire is not None:
            self.events.append(json.loads(json.dumps(wire)))


def session_of(dialect: Any) -> tuple[ModelSession, Collected]:
    """Make a session without a socket, whose responses never get their turn to run."""
    outbox: Any = Collected(dialect)
    voice: Any = ToneVoice()
    state = SessionState(
        setting=Setting(says("Hello."), voice),
        outbox=outbox,
        spawn=lambda work: work.close(),  # type: ignore[arg-type,return-value]
        config=Session(type="realtime", model="gpt-realtime"),
        script=says("Hello.").begin(),
        chance=None,  # type: ignore[arg-type]
    )
    return ModelSession(state, dialect), outbox


KEYS = st.sampled_from(
    ["type", "event_id", "item", "item_id", "session", "response", "audio", "input", "output",
     "format", "turn_detection", "role", "content", "id", "text", "call_id", "name", "arguments",
     "audio_end_ms", "content_index", "previous_item_id", "tool_choice", "tools", "function",
     "modalities", "voice", "conversation", "metadata", "input_audio_format", "response_id"]
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(
        ["", "auto", "none", "message", "user", "assistant", "function_call", "realtime", "audio",
         "server_vad", "function_call_output", "item_1", "input_text", "audio/pcmu", "g711_ulaw"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)  # fmt: skip
TYPES = st.sampled_from(
    ["session.update", "input_audio_buffer.append", "input_audio_buffer.commit",
     "input_audio_buffer.clear", "conversation.item.create", "conversation.item.delete",
     "conversation.item.retrieve", "conversation.item.truncate", "response.create",
     "response.cancel", "weather.update"]
)  # fmt: skip


@pytest.mark.parametrize("dialect", [wire_ga, wire_beta], ids=lambda dialect: dialect.name)
@settings(max_examples=300)
@given(st.lists(st.tuples(TYPES, st.dictionaries(KEYS, VALUES, max_size=5)), max_size=4))
def test_whatever_a_client_sends_is_answered_and_never_raises(
    dialect: Any, messages: list[tuple[str, dict[str, Any]]]
) -> None:
    session, outbox = session_of(dialect)
    for kind, fields in messages:
        before = len(outbox.events)
        session.receive(json.dumps({**fields, "type": kind}))
        errors = [event for event in outbox.events[before:] if event["type"] == "error"]
        assert len(errors) <= 1
        if errors:
            assert len(outbox.events) == before + 1
            assert errors[0]["error"]["code"]
            assert errors[0]["error"]["message"]


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_whatever_is_no_event_is_one_error(raw: str | bytes) -> None:
    session, outbox = session_of(wire_ga)
    session.receive(raw)
    assert [event["type"] for event in outbox.events] == ["error"]
