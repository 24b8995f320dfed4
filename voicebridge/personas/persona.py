"""What an agent is on the telephone: its voice, its words, its tools and its limits.

A persona is one YAML file; its name in routing and in rehearsals is the file's stem. What the
bridge itself must decide (audio formats, whether the server creates and interrupts responses) is
no persona's business and stands nowhere here.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from voicebridge.personas.business import Business

FROZEN = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

_E164 = re.compile(r"\+[1-9]\d{6,14}")
_LANGUAGE = re.compile(r"[a-z]{2,3}")


class Greeting(BaseModel):
    """Say what the agent speaks first: words to say exactly, or how to find its own.

    One that is not ``interruptible`` is said to its end, whatever the caller does.
    """

    model_config = FROZEN

    say: str | None = Field(default=None, min_length=1)
    instructions: str | None = Field(default=None, min_length=1)
    interruptible: bool = True

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

    type: Literal["server_vad"] = "server_vad"
    threshold: float = Field(default=0.5, ge=0, le=1)
    prefix_padding_ms: int = Field(default=300, ge=0, le=5000)
    silence_duration_ms: int = Field(default=500, ge=0, le=10_000)


class SemanticVad(BaseModel):
    """Let the model tell from the words whether the caller has finished (section 4)."""

    model_config = FROZEN

    type: Literal["semantic_vad"] = "semantic_vad"
    eagerness: Literal["low", "medium", "high", "auto"] = "auto"


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

    mode: Literal["cut", "pause"] = "cut"
    minimum_speech_ms: int = Field(default=0, ge=0, le=3000)
    decide_within_ms: int = Field(default=1500, ge=100, le=10_000)
    echo_gate: bool = False


class Limits(BaseModel):
    """Bound a call by our own clock; all in seconds."""

    model_config = FROZEN

    # The model's session ends after 60 minutes, so no call can be longer (section 1.5).
    max_duration_s: float = Field(default=900, gt=0, le=3600)
    silence_s: float = Field(default=30, gt=0, le=3600)
    tool_timeout_s: float = Field(default=10, gt=0, le=120)
    goodbye_s: float = Field(default=8, gt=0, le=60)


def normalise_number(number: str) -> str:
    """Strip what people write between the digits of a telephone number."""
    return re.sub(r"[\s().\-/]", "", number)


def _number(written: str) -> str:
    number = normalise_number(written)
    if not _E164.fullmatch(number):
        raise ValueError(f"expected a number such as '+15550100002', got {written[:40]!r}")
    return number


def _language(written: str) -> str:
    if not _LANGUAGE.fullmatch(written):
        raise ValueError(f"expected a language code such as 'en' or 'de', got {written[:40]!r}")
    return written


class Persona(BaseModel):
    """Describe one agent completely."""

    model_config = FROZEN

    name: str = Field(min_length=1)
    instructions: str = Field(min_length=1)
    numbers: tuple[Annotated[str, AfterValidator(_number)], ...] = ()
    voice: str = Field(default="marin", min_length=1)
    model: str = Field(default="gpt-realtime-2.1", min_length=1)
    speed: float | None = Field(default=None, ge=0.25, le=1.5)
    language: Annotated[str, AfterValidator(_language)] | None = None
    greeting: Annotated[Greeting | None, BeforeValidator(_greeting)] = None
    tools: tuple[str, ...] = ()
    turn_detection: TurnDetection = ServerVad()
    barge_in: BargeIn = BargeIn()
    transcription_model: str | None = Field(default="gpt-transcribe", min_length=1)
    noise_reduction: Literal["near_field", "far_field"] | None = None
    limits: Limits = Limits()
    business: Business | None = None
    facts: dict[str, str] = Field(default_factory=dict)

    def session_instructions(self) -> str:
        """Return the instructions with the facts below them, as the model is given them."""
        if not self.facts:
            return self.instructions
        facts = "\n".join(f"- {name}: {fact}" for name, fact in self.facts.items())
        return f"{self.instructions.rstrip()}\n\nFacts you may tell:\n{facts}\n"
