"""What an agent is on the telephone: its voice, its words, its tools and its limits.

A persona is one YAML file, with those that it extends; its name in routing and in rehearsals is
the file's stem. What the bridge itself must decide (audio formats, whether the server creates and
interrupts responses) is no persona's business and stands nowhere here.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from voicebridge.errors import ConfigError
from voicebridge.personas.business import Business
from voicebridge.personas.caller_keys import CallerKeys, ReadKeys
from voicebridge.personas.context import PersonaContext, variable_kinds
from voicebridge.personas.destinations import NumberPattern, Place
from voicebridge.personas.hosted_mcp import HostedMcpServer
from voicebridge.personas.numbers import PhoneNumber
from voicebridge.personas.outside import NAMES_STAND_FOR_VALUES, names_in
from voicebridge.personas.template import Value, check, has_variables, render
from voicebridge.personas.template_check import TemplateFault
from voicebridge.personas.yaml_faults import FaultAt

FROZEN = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

_LANGUAGE = re.compile(r"[a-z]{2,3}")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,49}")


class Greeting(BaseModel):
    """Say what the agent speaks first: words to say exactly, or how to find its own.

    One that is not ``interruptible`` is said to its end, whatever the caller does.
    """

    model_config = FROZEN

    say: str | None = Field(
        default=None, min_length=1, description="Said word for word. May hold variables."
    )
    instructions: str | None = Field(
        default=None,
        min_length=1,
        description="Lets the agent find its own words. May hold variables.",
    )
    interruptible: bool = Field(
        default=True, description="false: said to its end, whatever the caller does."
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> Greeting:
        if (self.say is None) == (self.instructions is None):
            raise ValueError("expected either 'say' or 'instructions'")
        return self


def _greeting(written: Any) -> Any:
    """Read a plain string as the words to say, and ``none`` as no greeting."""
    if isinstance(written, str):
        return None if written.strip().lower() == "none" else {"say": written}
    return written


class ServerVad(BaseModel):
    """Let the loudness of the line tell turns apart (OpenAI Realtime, section 4)."""

    model_config = FROZEN

    type: Literal["server_vad"] = Field(
        default="server_vad",
        description="server_vad tells turns apart by loudness, semantic_vad by what is said.",
    )
    threshold: float = Field(
        default=0.5, ge=0, le=1, description="How loud speech must be; higher needs louder."
    )
    prefix_padding_ms: int = Field(
        default=300, ge=0, le=5000, description="Sound kept from before the speech began."
    )
    silence_duration_ms: int = Field(
        default=500, ge=0, le=10_000, description="Silence that ends the caller's turn."
    )


class SemanticVad(BaseModel):
    """Let the model tell from the words whether the caller has finished (section 4)."""

    model_config = FROZEN

    type: Literal["semantic_vad"] = Field(
        default="semantic_vad",
        description="server_vad tells turns apart by loudness, semantic_vad by what is said.",
    )
    eagerness: Literal["low", "medium", "high", "auto"] = Field(
        default="auto", description="How soon the agent takes its turn; low waits longest."
    )


def _turn_detection(written: Any) -> Any:
    """Take the type as ``server_vad`` where none is written."""
    if isinstance(written, dict) and "type" not in written:
        return {"type": "server_vad", **written}
    return written


TurnDetection = Annotated[
    ServerVad | SemanticVad, Field(discriminator="type"), BeforeValidator(_turn_detection)
]


class BargeIn(BaseModel):
    """Say what becomes of a reply when the caller speaks over it.

    ``cut`` stops it for good at once; ``pause`` stops the sound at once and goes on where it
    stopped if that was no speech: shorter than ``minimum_speech_ms``, or without words within
    ``decide_within_ms``. With ``echo_gate``, what sounds like the agent itself stops nothing.
    """

    model_config = FROZEN

    mode: Literal["cut", "pause"] = Field(
        default="cut", description="cut stops for good; pause goes on if it was only a cough."
    )
    minimum_speech_ms: int = Field(
        default=0, ge=0, le=3000, description="Shorter sounds are no speech."
    )
    decide_within_ms: int = Field(
        default=1500,
        ge=100,
        le=10_000,
        description="With pause: how long to wait for the caller to go on, and for his words.",
    )
    echo_gate: bool = Field(
        default=False, description="What sounds like the agent itself stops nothing."
    )


class Limits(BaseModel):
    """Bound a call by our own clock; all in seconds."""

    model_config = FROZEN

    # The model's session ends after 60 minutes, so no call can be longer (section 1.5).
    max_duration_s: float = Field(default=900, gt=0, le=3600, description="The longest call.")
    silence_s: float = Field(
        default=30, gt=0, le=3600, description="Nobody has spoken for this long."
    )
    silence_prompts: int = Field(
        default=2,
        ge=0,
        le=10,
        description="How often a silent caller is asked for a word; next time it is goodbye.",
    )
    tool_timeout_s: float = Field(
        default=10, gt=0, le=120, description="A tool that takes longer has failed."
    )
    goodbye_s: float = Field(
        default=8, gt=0, le=60, description="The longest wait for the goodbye to be heard."
    )


def _language(written: str) -> str:
    if not _LANGUAGE.fullmatch(written):
        raise ValueError(f"expected a language code such as 'en' or 'de', got {written[:40]!r}")
    return written


class Fallback(BaseModel):
    """Say what becomes of a caller when the agent cannot be had, or breaks down in a call."""

    model_config = FROZEN

    say: str | None = Field(
        default=None, min_length=1, description="Said to the caller by the carrier's own voice."
    )
    number: PhoneNumber | None = Field(
        default=None, description="The number that the caller is then connected to."
    )

    @model_validator(mode="after")
    def _something(self) -> Fallback:
        if self.say is None and self.number is None:
            raise ValueError("expected 'say', 'number', or both")
        return self


class Keep(BaseModel):
    """Say what may be kept of a call, where records are kept at all."""

    model_config = FROZEN

    transcript: bool = Field(
        default=True,
        description="Keep the words of both sides and what went into and came out of tools; with "
        "false only times, lengths and names are kept.",
    )
    recording: bool = Field(
        default=False,
        description="Keep the sound of both sides, beside the record; callers have to be told.",
    )


def _parameter(written: str) -> str:
    if not _PARAMETER.fullmatch(written):
        raise ValueError(f"expected a name such as 'tenant', got {written[:40]!r}")
    return written


class Persona(BaseModel):
    """Describe one agent completely."""

    model_config = FROZEN

    name: str = Field(
        min_length=1, description="How this agent is called in lists; the caller never hears it."
    )
    instructions: str = Field(
        min_length=1, description="What the model is told. May hold variables."
    )
    numbers: tuple[PhoneNumber, ...] = Field(
        default=(), description="The called numbers that this persona answers."
    )
    voice: str = Field(
        default="marin",
        min_length=1,
        description="The model's voice; marin and cedar are made for speech over a line.",
    )
    model: str = Field(default="gpt-realtime-2.1", min_length=1, description="The realtime model.")
    speed: float | None = Field(
        default=None,
        ge=0.25,
        le=1.5,
        description="How fast it speaks; null leaves it to the model.",
    )
    language: Annotated[str, AfterValidator(_language)] | None = Field(
        default=None,
        description="The language that callers speak, such as en; null lets it be recognised.",
    )
    greeting: Annotated[
        Greeting | None,
        BeforeValidator(_greeting, json_schema_input_type=Greeting | str | None),
    ] = Field(
        default=None,
        description="What the agent says first: a text, or a mapping; null or none waits for the "
        "caller.",
    )
    tools: tuple[str, ...] = Field(
        default=(),
        description="The tools it may use: by name, or your own as package.module:function.",
    )
    mcp_servers: tuple[HostedMcpServer, ...] = Field(
        default=(),
        description="MCP servers whose tools the realtime server calls by itself.",
    )
    turn_detection: TurnDetection = Field(
        default=ServerVad(), description="How the server tells that the caller has finished."
    )
    barge_in: BargeIn = Field(
        default=BargeIn(), description="What becomes of a reply when the caller speaks over it."
    )
    keys: ReadKeys = Field(
        default=CallerKeys(), description="What the keys are for that a caller presses."
    )
    transcription_model: str | None = Field(
        default="gpt-transcribe",
        min_length=1,
        description="The model that writes down what the caller says; null writes nothing down.",
    )
    noise_reduction: Literal["near_field", "far_field"] | None = Field(
        default=None,
        description="Filter noise before the server listens: near_field for handsets, far_field "
        "for speakerphones.",
    )
    limits: Limits = Field(default=Limits(), description="When a call ends by itself.")
    business: Business | None = Field(
        default=None, description="The business that the agent answers for."
    )
    facts: dict[str, str] = Field(
        default_factory=dict,
        description="What else the agent may tell; each is added to the instructions.",
    )
    params: dict[Annotated[str, AfterValidator(_parameter)], str] = Field(
        default_factory=dict,
        description="The custom parameters that its words use, each with the words for a call "
        "that brings none.",
    )
    destinations: dict[str, Place] = Field(
        default_factory=dict,
        description="Whom the tool `transfer` may connect the caller to, by name: a number, or a "
        "mapping.",
    )
    recipients: dict[str, PhoneNumber] = Field(
        default_factory=dict,
        description="Whom the tool `send_sms` may write to besides the caller: numbers by name.",
    )
    allowed_numbers: tuple[NumberPattern, ...] = Field(
        default=(),
        description="Numbers beyond these that a caller may have reached: countries such as DE, "
        "beginnings such as +4930. Premium, toll-free and satellite numbers never count.",
    )
    fallback: Fallback | None = Field(
        default=None, description="What becomes of the caller when the agent cannot be had."
    )
    keep: Keep = Field(default=Keep(), description="What may be kept of its calls.")

    @model_validator(mode="after")
    def _words_can_be_filled_in(self) -> Persona:
        """Refuse what could fail in a call: unknown variables, and words without end."""
        written = {path: text for path, text in self._words().items() if has_variables(text)}
        if not written:
            return self
        kinds = variable_kinds(self.params, self.facts, self.business)
        for path, text in written.items():
            try:
                check(text, kinds)
                for flag in (True, False):
                    render(text, PersonaContext.longest(kinds, self.facts, flag=flag))
            except TemplateFault as fault:
                raise FaultAt(path, str(fault)) from None
        return self

    def rendered(self, context: PersonaContext) -> Persona:
        """Return this persona with all variables in its words filled in, for one call.

        Values from outside get into words that a person hears or reads. Instructions have their
        names, and ``told`` the values. Raises ConfigError where the words become too long.
        """
        words = self._words()
        if not any(has_variables(text) for text in words.values()):
            return self
        values = context.values(self.params, self.facts, self.business)
        named = context.said(values)
        said = {
            path: _filled(path, text, values, values if path[0] == "fallback" else named)
            for path, text in words.items()
        }
        changes: dict[str, Any] = {"instructions": said["instructions",]}
        for group in ("greeting", "fallback"):
            inner = {path[1]: text for path, text in said.items() if path[0] == group}
            if inner:
                changes[group] = getattr(self, group).model_copy(update=inner)
        return self.model_copy(update=changes)

    def told(self, context: PersonaContext) -> dict[str, str]:
        """Return the values from outside that the instructions ask for, by name."""
        values = context.values(self.params, self.facts, self.business)
        return {name: str(values[name]) for name in self._names() if name in values}

    def session_instructions(self) -> str:
        """Return the instructions with the facts below them, as the model is given them."""
        parts = [self.instructions]
        if self.facts:
            facts = "\n".join(f"- {name}: {fact}" for name, fact in self.facts.items())
            parts.append(f"Facts you may tell:\n{facts}\n")
        if self._names():
            parts.append(f"{NAMES_STAND_FOR_VALUES}\n")
        return "\n\n".join([*(part.rstrip() for part in parts[:-1]), parts[-1]])

    def _names(self) -> tuple[str, ...]:
        words = self._words()
        return names_in(*(text for path, text in words.items() if path[0] != "fallback"))

    def _words(self) -> dict[tuple[str, ...], str]:
        """Return by their key's path the words in which variables may stand."""
        greeting, fallback = self.greeting, self.fallback
        words = {
            ("instructions",): self.instructions,
            ("greeting", "say"): greeting and greeting.say,
            ("greeting", "instructions"): greeting and greeting.instructions,
            ("fallback", "say"): fallback and fallback.say,
        }
        return {path: text for path, text in words.items() if text}


def _filled(
    path: tuple[str, ...], text: str, values: dict[str, Value], said: dict[str, Value]
) -> str:
    try:
        return render(text, values, said)
    except TemplateFault as fault:
        raise ConfigError(str(fault), key=".".join(path)) from None
