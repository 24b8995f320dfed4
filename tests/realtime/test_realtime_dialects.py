"""The dialects: addresses, headers, spellings, and what each refuses before it is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from voicebridge.errors import ConfigError
from voicebridge.realtime import (
    AZURE_GA,
    AZURE_PREVIEW,
    BETA,
    GA,
    APIType,
    Audio,
    AudioFormatObject,
    AudioInput,
    AudioOutput,
    AudioTranscription,
    ClientConfig,
    ClientEvent,
    Credentials,
    Dialect,
    FunctionTool,
    McpTool,
    NoiseReduction,
    Prompt,
    Reasoning,
    ResponseCreateEvent,
    ResponseCreateParams,
    ResponseOutputAudioDeltaEvent,
    RetentionRatio,
    ServerVad,
    Session,
    SessionUpdateEvent,
    Target,
    ToolChoiceFunction,
    ToolChoiceMcp,
    TranscriptionSession,
    UnsupportedParameter,
    VoiceId,
    default_azure_config,
    default_config,
    marshal_client_event,
    marshal_server_event,
    unmarshal_server_event,
)
from voicebridge.realtime.dialects import beta

BASE = "wss://api.openai.com/v1/realtime"
AZURE = "https://acme.openai.azure.com"


@pytest.mark.parametrize(
    ("dialect", "base", "target", "expected"),
    [
        (GA, BASE, Target(model="m 1"), f"{BASE}?model=m+1"),
        (GA, BASE, Target(call_id="rtc_1", model="m"), f"{BASE}?call_id=rtc_1"),
        (GA, BASE, Target(intent="transcription"), f"{BASE}?intent=transcription"),
        (GA, BASE, Target(model="m", intent="realtime"), f"{BASE}?model=m&intent=realtime"),
        (GA, "ws://h:1/rt?key=a&b=", Target(model="m"), "ws://h:1/rt?key=a&b=&model=m"),
        (BETA, BASE, Target(model="m"), f"{BASE}?model=m"),
        (BETA, BASE, Target(intent="transcription"), f"{BASE}?intent=transcription"),
        (
            AZURE_PREVIEW,
            AZURE,
            Target(model="dep"),
            f"{AZURE}/openai/realtime?api-version=2024-10-01-preview&deployment=dep",
        ),
        (
            AZURE_PREVIEW,
            f"{AZURE}/openai/realtime",
            Target(model="dep", api_version="2025-04-01-preview"),
            f"{AZURE}/openai/realtime?api-version=2025-04-01-preview&deployment=dep",
        ),
        (AZURE_GA, f"{AZURE}/", Target(model="dep"), f"{AZURE}/openai/v1/realtime?model=dep"),
        (AZURE_GA, AZURE, Target(call_id="c"), f"{AZURE}/openai/v1/realtime?call_id=c"),
    ],
)
def test_a_connection_s_address(dialect: Dialect, base: str, target: Target, expected: str) -> None:
    assert dialect.url(base, target) == expected


@pytest.mark.parametrize("dialect", [BETA, AZURE_PREVIEW])
def test_the_beta_protocol_cannot_join_calls(dialect: Dialect) -> None:
    with pytest.raises(UnsupportedParameter, match="call_id"):
        dialect.url(BASE, Target(call_id="rtc_1"))


def test_headers_carry_the_key_as_each_server_wants_it() -> None:
    key = Credentials("sk-1")
    bearer = {"Authorization": "Bearer sk-1"}
    assert GA.headers(key) == bearer
    assert BETA.headers(key) == {**bearer, "OpenAI-Beta": "realtime=v1"}
    assert AZURE_GA.headers(key) == AZURE_PREVIEW.headers(key) == {"api-key": "sk-1"}
    assert AZURE_GA.headers(Credentials("sk-1", bearer=True)) == bearer
    assert GA.headers(Credentials("")) == AZURE_GA.headers(Credentials("")) == {}


def test_no_text_of_a_configuration_shows_the_key() -> None:
    config = ClientConfig(auth_token="sk-secret", headers={"X-Key": "sk-secret"})
    assert "sk-secret" not in f"{config} {config!r} {config.credentials}"


def test_the_default_configurations() -> None:
    openai = default_config("sk-1")
    assert (openai.base_url, openai.dialect, openai.protocol) == (BASE, "ga", GA)
    assert openai.rest_url == "https://api.openai.com/v1"
    azure = default_azure_config("k", AZURE)
    assert (azure.api_type, azure.protocol) == (APIType.AZURE, AZURE_GA)
    assert azure.rest_url == f"{AZURE}/openai/v1"
    assert azure.websocket_url == "wss://acme.openai.azure.com"
    preview = default_azure_config("k", AZURE, dialect="beta")
    assert preview.protocol is AZURE_PREVIEW
    assert preview.endpoint("/realtime/sessions") == (
        f"{AZURE}/openai/realtime/sessions?api-version=2024-10-01-preview"
    )


def test_a_key_for_one_server_goes_to_no_other() -> None:
    local = ClientConfig(base_url="ws://127.0.0.1:9/v1/realtime")
    assert local.endpoint("/realtime/calls/x") == "http://127.0.0.1:9/v1/realtime/calls/x"
    named = ClientConfig(base_url="ws://127.0.0.1:9/rt", api_base_url="http://127.0.0.1:8/v1/")
    assert named.rest_url == "http://127.0.0.1:8/v1"


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({"dialect": "gamma"}, "dialect"),
        ({"base_url": "api.openai.com"}, "base_url"),
        ({"api_type": APIType.AZURE}, "base_url"),
    ],
)
def test_a_configuration_that_can_never_work_is_refused(config: Any, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ClientConfig(**config)
    assert caught.value.key == key


def sent(event: ClientEvent, dialect: Dialect, *, strict: bool = True) -> Any:
    return json.loads(marshal_client_event(event, dialect, strict=strict))


def update(**session: Any) -> SessionUpdateEvent:
    return SessionUpdateEvent(session=Session(**session))


ULAW_BOTH_WAYS = Audio(input=AudioInput(format="g711_ulaw"), output=AudioOutput(format="g711_ulaw"))


def test_g711_is_spelled_as_each_dialect_wants_it() -> None:
    event = update(audio=ULAW_BOTH_WAYS)
    pcmu = {"format": {"type": "audio/pcmu"}}
    assert sent(event, GA)["session"]["audio"] == {"input": pcmu, "output": pcmu}
    assert sent(event, BETA)["session"] == {
        "input_audio_format": "g711_ulaw",
        "output_audio_format": "g711_ulaw",
    }
    objects = Audio(input=AudioInput(format=AudioFormatObject(type="audio/pcma")))
    assert sent(update(audio=objects), BETA)["session"] == {"input_audio_format": "g711_alaw"}
    params = ResponseCreateParams(audio=Audio(output=AudioOutput(format="pcm16")))
    response = ResponseCreateEvent(response=params)
    assert sent(response, GA)["response"]["audio"]["output"]["format"] == {
        "type": "audio/pcm",
        "rate": 24000,
    }
    assert sent(response, BETA)["response"] == {"output_audio_format": "pcm16"}


def test_everything_beta_has_lies_flat_in_its_session() -> None:
    audio = Audio(
        input=AudioInput(
            format="g711_ulaw",
            transcription=AudioTranscription(model="whisper-1", language="en"),
            noise_reduction=NoiseReduction(type="far_field"),
            turn_detection=ServerVad(threshold=0.5, silence_duration_ms=400),
        ),
        output=AudioOutput(format="g711_ulaw", voice="alloy", speed=1.1),
    )
    event = update(
        instructions="x",
        output_modalities=["audio"],
        audio=audio,
        tools=[FunctionTool(name="f", parameters={})],
        tool_choice=ToolChoiceFunction(name="f"),
        max_output_tokens=5,
        temperature=0.7,
        tracing="auto",
    )
    assert sent(event, BETA) == {
        "type": "session.update",
        "session": {
            "instructions": "x",
            "modalities": ["text", "audio"],
            "voice": "alloy",
            "speed": 1.1,
            "input_audio_format": "g711_ulaw",
            "output_audio_format": "g711_ulaw",
            "input_audio_transcription": {"model": "whisper-1", "language": "en"},
            "input_audio_noise_reduction": {"type": "far_field"},
            "turn_detection": {
                "type": "server_vad",
                "threshold": 0.5,
                "silence_duration_ms": 400,
            },
            "tools": [{"type": "function", "name": "f", "parameters": {}}],
            "tool_choice": {"type": "function", "function": {"name": "f"}},
            "max_response_output_tokens": 5,
            "temperature": 0.7,
            "tracing": "auto",
        },
    }


def test_what_beta_sends_is_read_as_what_was_meant() -> None:
    event = update(
        audio=ULAW_BOTH_WAYS, tool_choice=ToolChoiceFunction(name="f"), max_output_tokens="inf"
    )
    assert beta.decode_client(sent(event, BETA)) == sent(event, GA)


def test_what_needs_no_change_is_given_back_as_it_is() -> None:
    event = {"type": "input_audio_buffer.commit"}
    assert beta.decode_client(event) is event
    assert beta.encode_client(event) is event
    assert GA.encode_client(event) is event
    choice = {"type": "function", "function": {"name": "f", "strict": True}}
    session = {"type": "session.updated", "session": {"tool_choice": choice}}
    assert beta.decode_server(session) == session


def test_beta_has_an_event_of_its_own_for_transcription_sessions() -> None:
    session = TranscriptionSession(audio=Audio(input=AudioInput(format="g711_ulaw")))
    assert sent(SessionUpdateEvent(session=session), BETA) == {
        "type": "transcription_session.update",
        "session": {"input_audio_format": "g711_ulaw"},
    }


def test_the_seed_s_nine_and_twenty_eight_events_are_mapped_by_name() -> None:
    assert beta.EVENTS == {
        "response.text.delta": "response.output_text.delta",
        "response.text.done": "response.output_text.done",
        "response.audio.delta": "response.output_audio.delta",
        "response.audio.done": "response.output_audio.done",
        "response.audio_transcript.delta": "response.output_audio_transcript.delta",
        "response.audio_transcript.done": "response.output_audio_transcript.done",
    }


IN = AudioInput


@pytest.mark.parametrize(
    ("session", "dialect", "param"),
    [
        (Session(temperature=0.8), GA, "session.temperature"),
        (Session(id="sess_1"), GA, "session.id"),
        (Session.model_validate({"instruction": "x"}), GA, "session.instruction"),
        (Session.model_validate({"modalities": ["text"]}), GA, "session.modalities"),
        (Session(output_modalities=["text", "audio"]), GA, "session.output_modalities"),
        (
            Session.model_validate(
                {"audio": {"input": {"turn_detection": {"type": "server_vad", "eagerness": "low"}}}}
            ),
            GA,
            "session.audio.input.turn_detection.eagerness",
        ),
        (
            Session(audio=Audio(input=IN(format=AudioFormatObject(type="audio/pcmu", rate=8000)))),
            GA,
            "session.audio.input.format.rate",
        ),
        (
            Session.model_validate({"tools": [{"type": "function", "name": "f", "strict": True}]}),
            GA,
            "session.tools[0].strict",
        ),
        (TranscriptionSession.model_validate({"tools": []}), GA, "session.tools"),
        (Session(prompt=Prompt(id="p")), BETA, "session.prompt"),
        (
            Session(truncation=RetentionRatio(retention_ratio=0.8)),
            BETA,
            "session.truncation",
        ),
        (Session(reasoning=Reasoning(effort="low")), BETA, "session.reasoning"),
        (Session(include=["x"]), BETA, "session.include"),
        (Session(parallel_tool_calls=True), BETA, "session.parallel_tool_calls"),
        (Session(tools=[McpTool(server_label="s")]), BETA, "session.tools[0].type"),
        (Session(tool_choice=ToolChoiceMcp(server_label="s")), BETA, "session.tool_choice.type"),
        (
            Session(audio=Audio(output=AudioOutput(voice=VoiceId(id="v")))),
            BETA,
            "session.audio.output.voice.id",
        ),
        (
            Session(audio=Audio(input=IN(transcription=AudioTranscription(keywords=["a"])))),
            BETA,
            "session.audio.input.transcription.keywords",
        ),
        (
            Session(audio=Audio(input=IN(turn_detection=ServerVad(idle_timeout_ms=5)))),
            BETA,
            "session.audio.input.turn_detection.idle_timeout_ms",
        ),
        (
            Session(audio=Audio(input=IN(format=AudioFormatObject(type="audio/pcm", rate=16000)))),
            BETA,
            "session.audio.input.format.rate",
        ),
    ],
)
def test_a_key_that_the_server_would_refuse_is_refused_first_by_its_name(
    session: Any, dialect: Dialect, param: str
) -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        marshal_client_event(SessionUpdateEvent(session=session), dialect)
    assert caught.value.param == param
    assert str(caught.value).startswith(param)
    assert not caught.value.permanent


@pytest.mark.parametrize(
    ("params", "dialect", "param"),
    [
        (ResponseCreateParams(temperature=0.8), GA, "response.temperature"),
        (
            ResponseCreateParams(output_modalities=["audio", "text"]),
            GA,
            "response.output_modalities",
        ),
        (
            ResponseCreateParams(audio=Audio(output=AudioOutput(speed=1.1))),
            GA,
            "response.audio.output.speed",
        ),
        (ResponseCreateParams(reasoning=Reasoning()), BETA, "response.reasoning"),
    ],
)
def test_a_key_of_a_response_is_refused_likewise(
    params: ResponseCreateParams, dialect: Dialect, param: str
) -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        marshal_client_event(ResponseCreateEvent(response=params), dialect)
    assert caught.value.param == param


def test_a_misspelt_key_is_told_its_nearest_name() -> None:
    with pytest.raises(UnsupportedParameter, match="did you mean 'instructions'"):
        marshal_client_event(update(instruction="x"))


def test_a_lenient_client_sends_a_compatible_server_s_own_keys() -> None:
    assert sent(update(voice="eve"), GA, strict=False)["session"] == {
        "type": "realtime",
        "voice": "eve",
    }


def test_a_session_with_every_ga_field_is_let_through() -> None:
    session = {
        "type": "realtime",
        "model": "gpt-realtime-2.1",
        "instructions": "x",
        "output_modalities": ["audio"],
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "noise_reduction": {"type": "near_field", "strength": 0.5},
                "transcription": {"model": "gpt-transcribe", "keywords": ["a"], "delay": "low"},
                "turn_detection": {"type": "server_vad", "idle_timeout_ms": 6000},
            },
            "output": {"format": {"type": "audio/pcmu"}, "voice": {"id": "v"}, "speed": 1.5},
        },
        "tools": [{"type": "mcp", "server_label": "s", "require_approval": {"never": {}}}],
        "tool_choice": {"type": "mcp", "server_label": "s", "name": "n"},
        "tracing": {"workflow_name": "w", "group_id": "g", "metadata": {"free": "text"}},
        "truncation": {
            "type": "retention_ratio",
            "retention_ratio": 0.8,
            "token_limits": {"post_instructions": 8000},
        },
        "prompt": {"id": "p", "variables": {"free": "text"}, "version": "1"},
        "reasoning": {"effort": "low"},
        "parallel_tool_calls": True,
        "max_output_tokens": "inf",
        "include": ["item.input_audio_transcription.logprobs"],
    }
    assert sent(SessionUpdateEvent.model_validate({"session": session}), GA)["session"] == session


def test_the_functions_of_a_dialect_do_not_alter_their_argument() -> None:
    event = {
        "type": "session.updated",
        "session": {
            "voice": "alloy",
            "tool_choice": {"type": "function", "function": {"name": "f"}},
        },
    }
    before = json.dumps(event)
    decoded = beta.decode_server(event)
    assert decoded["session"]["tool_choice"] == {"type": "function", "name": "f"}
    assert beta.encode_server(decoded) == event
    assert json.dumps(event) == before


def test_a_server_that_mixes_both_forms_has_them_merged() -> None:
    session = {"voice": "eve", "audio": {"input": {"format": "g711_ulaw", "transport": "json"}}}
    event = {"type": "session.updated", "session": session}
    merged = beta.decode_server(event)["session"]
    assert merged["audio"] == {
        "input": {"format": "g711_ulaw", "transport": "json"},
        "output": {"voice": "eve"},
    }
    written = beta.encode_server({"type": "session.updated", "session": merged})["session"]
    assert written == {
        "voice": "eve",
        "input_audio_format": "g711_ulaw",
        "audio": {"input": {"transport": "json"}},
    }


@pytest.mark.parametrize("name", ["response.audio.delta", "response.output_audio.delta"])
def test_audio_is_audio_by_either_name_in_the_beta_dialect(name: str) -> None:
    delta = {"type": name, "response_id": "r", "item_id": "i", "delta": "AAAA"}
    event = unmarshal_server_event(json.dumps(delta), BETA)
    assert isinstance(event, ResponseOutputAudioDeltaEvent)
    assert json.loads(marshal_server_event(event, BETA))["type"] == "response.audio.delta"
