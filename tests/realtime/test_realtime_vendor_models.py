"""Our events against the vendor's own models: the same JSON, both ways, in both dialects."""

from __future__ import annotations

import json
import typing
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from openai.types.beta.realtime import RealtimeClientEvent as BetaClientEvent
from openai.types.beta.realtime import RealtimeServerEvent as BetaServerEvent
from openai.types.realtime import (
    AudioTranscription,
    RealtimeAudioConfigOutput,
    RealtimeClientEvent,
    RealtimeServerEvent,
    RealtimeSessionCreateRequest,
)
from pydantic import BaseModel
from vendor_json import json_of, union_members, unknown_fields

from voicebridge.realtime import (
    BETA,
    CLIENT_EVENTS,
    GA,
    SERVER_EVENTS,
    ClientEventType,
    Dialect,
    ResponseOutputAudioDeltaEvent,
    ServerEventType,
    UnknownEvent,
    enums,
    marshal_client_event,
    marshal_server_event,
    unmarshal_server_event,
)

GA_SERVER = union_members(RealtimeServerEvent)
GA_CLIENT = union_members(RealtimeClientEvent)
BETA_SERVER = union_members(BetaServerEvent)
BETA_CLIENT = union_members(BetaClientEvent)

few = settings(
    max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)


def types_of(models: tuple[type[BaseModel], ...]) -> set[str]:
    return {model.model_fields["type"].annotation.__args__[0] for model in models}  # type: ignore[union-attr]


def named(model: type[BaseModel]) -> str:
    return str(next(iter(types_of((model,)))))


def test_the_vendor_s_ga_server_events_are_46_and_all_of_them_are_typed_here() -> None:
    assert len(GA_SERVER) == len(types_of(GA_SERVER)) == 46
    assert types_of(GA_SERVER) == {*SERVER_EVENTS, ResponseOutputAudioDeltaEvent.type}
    assert types_of(GA_SERVER) == set(ServerEventType)


def test_the_vendor_s_ga_client_events_are_11_and_all_of_them_are_typed_here() -> None:
    assert len(GA_CLIENT) == len(types_of(GA_CLIENT)) == 11
    assert types_of(GA_CLIENT) == set(CLIENT_EVENTS) == set(ClientEventType)


def test_the_vendor_s_beta_events_are_34_and_12() -> None:
    assert len(BETA_SERVER) == len(types_of(BETA_SERVER)) == 34
    assert len(BETA_CLIENT) == len(types_of(BETA_CLIENT)) == 12


def literals(annotation: Any) -> set[str]:
    """Collect the strings that a vendor's annotation lists, at any depth."""
    args = typing.get_args(annotation)
    if typing.get_origin(annotation) is typing.Literal:
        return {arg for arg in args if isinstance(arg, str)}
    return set().union(*(literals(arg) for arg in args)) if args else set()


def test_every_model_the_vendor_lists_has_a_constant_and_every_voice_a_name() -> None:
    constants = {value for value in vars(enums).values() if isinstance(value, str)}
    listed = literals(RealtimeSessionCreateRequest.model_fields["model"].annotation)
    transcribing = literals(AudioTranscription.model_fields["model"].annotation)
    assert listed
    assert transcribing
    assert listed | transcribing <= constants
    voices = literals(RealtimeAudioConfigOutput.model_fields["voice"].annotation)
    assert voices == set(enums.Voice)


def read_and_written(wire: Any, dialect: Dialect) -> Any:
    event = unmarshal_server_event(json.dumps(wire), dialect)
    assert not isinstance(event, UnknownEvent)
    return json.loads(marshal_server_event(event, dialect))


@pytest.mark.parametrize("model", GA_SERVER, ids=named)
@few
@given(data=st.data())
def test_a_ga_server_event_is_read_and_written_back_the_same(
    model: type[BaseModel], data: st.DataObject
) -> None:
    wire = data.draw(json_of(model))
    model.model_validate(wire)
    assert read_and_written(wire, GA) == wire


@pytest.mark.parametrize("model", BETA_SERVER, ids=named)
@few
@given(data=st.data())
def test_a_beta_server_event_is_read_and_written_back_the_same(
    model: type[BaseModel], data: st.DataObject
) -> None:
    wire = data.draw(json_of(model))
    model.model_validate(wire)
    assert read_and_written(wire, BETA) == wire


@pytest.mark.parametrize("model", BETA_SERVER, ids=named)
@few
@given(data=st.data())
def test_a_beta_server_event_is_a_typed_ga_event_inside(
    model: type[BaseModel], data: st.DataObject
) -> None:
    event = unmarshal_server_event(json.dumps(data.draw(json_of(model))), BETA)
    assert event.type in types_of(GA_SERVER)


def sent(wire: Any, dialect: Dialect, *, strict: bool) -> Any:
    inside = dialect.decode_client(wire)
    event = CLIENT_EVENTS[inside["type"]].model_validate(inside)
    return json.loads(marshal_client_event(event, dialect, strict=strict))


def without_both_modalities(wire: Any) -> bool:
    """GA refuses text and audio together, and beta wants both: neither is left as it is."""
    for key in ("session", "response"):
        inner = wire.get(key) or {}
        modalities = inner.get("output_modalities") or inner.get("modalities") or []
        if set(modalities) == {"text", "audio"} or modalities == ["audio"]:
            return False
    return True


@pytest.mark.parametrize("model", GA_CLIENT, ids=named)
@few
@given(data=st.data())
def test_a_ga_client_event_of_ours_is_what_the_vendor_s_model_describes(
    model: type[BaseModel], data: st.DataObject
) -> None:
    wire = data.draw(json_of(model))
    assume(without_both_modalities(wire))
    ours = sent(wire, GA, strict=True)
    assert unknown_fields(model.model_validate(ours)) == []
    assert ours == wire


@pytest.mark.parametrize("model", BETA_CLIENT, ids=named)
@few
@given(data=st.data())
def test_a_beta_client_event_of_ours_is_what_the_vendor_s_model_describes(
    model: type[BaseModel], data: st.DataObject
) -> None:
    wire = data.draw(json_of(model))
    assume(without_both_modalities(wire))
    ours = sent(wire, BETA, strict=True)
    assert unknown_fields(model.model_validate(ours)) == []
    assert ours == wire
